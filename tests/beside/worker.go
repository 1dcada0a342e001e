package beside

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// Worker is a process that carries out orders: it takes each as a JSON object on standard input and answers with one on standard output. It ends when its input does.
type Worker struct {
	*Process
	orders  *json.Encoder
	reports *json.Decoder
	stdin   io.Closer
}

// StartWorker starts a worker as Start does.
func StartWorker(cmd *exec.Cmd, dir string) (*Worker, error) {
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		return nil, err
	}
	p, err := Start(cmd, dir)
	if err != nil {
		return nil, err
	}
	return &Worker{Process: p, orders: json.NewEncoder(stdin), reports: json.NewDecoder(stdout), stdin: stdin}, nil
}

// Ask gives an order and waits for the report on it. One order is under way at a time.
func (w *Worker) Ask(order, report any) error {
	if err := w.orders.Encode(order); err != nil {
		return fmt.Errorf("%w: %s", err, w.Said())
	}
	if err := w.reports.Decode(report); err != nil {
		return fmt.Errorf("%w: %s", err, w.Said())
	}
	return nil
}

// Stop lets the worker end by itself, else it is ended.
func (w *Worker) Stop() {
	_ = w.stdin.Close() // it may have ended
	w.Process.Stop()
}
