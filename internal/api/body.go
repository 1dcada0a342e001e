package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

const (
	maxBodyBytes  = 256 << 10 // of a request: a payload of 64 KiB in base64, with room for everything beside it
	maxLargeBytes = 1 << 20   // where a list of 10,000 ids of 64 bytes may stand as well
	maxHugeBytes  = 16 << 20  // of a batch of 1,000 pushes, or of 10,000 endpoints with SCRAM keys and labels
	maxHuge       = 4         // bodies beyond maxBodyBytes that may have maxHugeBytes, at the same time
	maxLarge      = 64        // bodies beyond maxBodyBytes that are in memory at the same time
)

// readBody reads the whole body, of up to limit bytes, of a request that must be JSON.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, optional bool) ([]byte, *Problem) {
	if optional && r.ContentLength == 0 {
		return nil, nil
	}
	if p := checkMedia(r.Header); p != nil {
		return nil, p
	}
	if r.ContentLength > limit {
		return nil, bodyProblem(&http.MaxBytesError{Limit: limit})
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, bodyProblem(err)
	}
	if len(data) == 0 && !optional {
		return nil, malformedJSON.problem("The body is empty: send one JSON document.")
	}
	return data, nil
}

// checkMedia takes JSON in UTF-8 as it is, not compressed: nothing may grow while it is read.
func checkMedia(h http.Header) *Problem {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	encoding := h.Get("Content-Encoding")
	switch {
	case err != nil, media != "application/json", charset != "" && !strings.EqualFold(charset, "utf-8"), encoding != "" && encoding != "identity":
		return unsupportedMediaType.problem("").with("Accept", "application/json")
	}
	return nil
}

func bodyProblem(err error) *Problem {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return payloadTooLarge.problem(fmt.Sprintf("The body has more than the %d bytes that are allowed.", large.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return requestTimeout.problem("").with("Connection", "close")
	}
	return badRequest.problem("The body ended early: send all of it.")
}
