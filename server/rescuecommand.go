package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"wardbook/server/rescue"
)

// rescueCommand hands rescue files in at a running server. It needs no account:
// a file proves by itself whose work it holds.
func rescueCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook rescue", flag.ContinueOnError)
	url := fs.String("url", "", "the server, such as https://wardbook.example (required)")
	if code, done := parseFlags(fs, args, errs); done {
		return code
	}
	switch {
	case *url == "":
		fmt.Fprintln(errs, "wardbook rescue: -url is required: name the server, such as https://wardbook.example")
		return 2
	case fs.NArg() == 0:
		fmt.Fprintln(errs, "wardbook rescue: name the rescue files after the flags")
		return 2
	}
	code := 0
	for _, name := range fs.Args() {
		taken, err := handIn(ctx, strings.TrimRight(*url, "/"), name)
		if err != nil {
			fmt.Fprintf(errs, "wardbook rescue: %s: %v\n", name, err)
			code = 1
			continue
		}
		fmt.Fprintf(out, "%s: %d changesets: %d taken, %d kept aside for the supervisor, %d here already\n",
			name, taken.Changesets, taken.Applied, taken.Quarantined, taken.Repeated)
	}
	return code
}

func handIn(ctx context.Context, url, name string) (rescue.Taken, error) {
	var taken rescue.Taken
	file, err := os.ReadFile(name)
	if err != nil {
		return taken, err
	}
	body, err := json.Marshal(map[string]string{"file": base64.StdEncoding.EncodeToString(file)})
	if err != nil {
		return taken, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/api/v1/rescue", bytes.NewReader(body))
	if err != nil {
		return taken, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return taken, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return taken, err
	}
	if res.StatusCode == http.StatusOK {
		return taken, json.Unmarshal(answer, &taken)
	}
	var refused struct {
		Error struct {
			EN string `json:"message_en"`
		} `json:"error"`
	}
	if err := json.Unmarshal(answer, &refused); err != nil || refused.Error.EN == "" {
		return taken, fmt.Errorf("the server answers %s", res.Status)
	}
	return taken, fmt.Errorf("%s", refused.Error.EN)
}
