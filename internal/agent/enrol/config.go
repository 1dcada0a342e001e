package enrol

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"signalbox/internal/agent"
)

// written is what of an agent's configuration an enrolment writes.
type written struct {
	ID                string   `yaml:"id"`
	Domain            string   `yaml:"domain"`
	Addresses         []string `yaml:"addresses"`
	KeyFile           string   `yaml:"key_file"`
	ServerKey         string   `yaml:"server_key"`
	Interception      string   `yaml:"interception"`
	StateDir          string   `yaml:"state_dir"`
	CAFile            string   `yaml:"ca_file,omitempty"`
	Proxy             string   `yaml:"proxy,omitempty"`
	ProxyPasswordFile string   `yaml:"proxy_password_file,omitempty"`
}

// write writes the configuration, as a whole or not at all, and returns its path. What the server said is checked first: it ends in a file that the agent obeys.
func (o *Options) write(got answer) (string, error) {
	w := written{
		ID: got.ID, Domain: got.Domain, Addresses: got.Addresses, KeyFile: filepath.Join(o.StateDir, KeyFile), ServerKey: got.ServerKey.String(), Interception: o.Interception,
		StateDir: o.StateDir, CAFile: o.CAFile, Proxy: o.Proxy, ProxyPasswordFile: o.PasswordFile,
	}
	var b bytes.Buffer
	b.WriteString("# Written by signalbox-agent enroll.\n")
	if err := yaml.NewEncoder(&b).Encode(w); err != nil {
		return "", err
	}
	file := filepath.Join(o.ConfigDir, ConfigFile)
	if err := replace(file, b.Bytes()); err != nil {
		return "", err
	}
	return file, nil
}

// replace writes a file beside path, checks that an agent can use it, and renames it to path.
func replace(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if _, err = agent.Load(f.Name(), nil); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
