package hub_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"wardbook/server/hub/hubtest"
)

// consumer is a signed-in HTTP client of the simplest kind.
type consumer struct {
	t      testing.TB
	url    string
	token  string
	header http.Header // of the last answer
}

func newConsumer(t testing.TB, w *hubtest.World, a hubtest.Account) *consumer {
	t.Helper()
	c := &consumer{t: t, url: w.URL}
	body, _ := json.Marshal(map[string]string{"name": a.Name, "password": a.Password})
	status, answer := c.do("POST", "/api/v1/auth/login", string(body))
	var grant struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answer), &grant); status != 200 || err != nil {
		t.Fatalf("sign in: %d %s", status, answer)
	}
	c.token = grant.Token
	return c
}

func (c *consumer) do(method, path, body string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.header = res.Header
	return res.StatusCode, string(answer)
}

// cursorAfterAll returns the cursor after everything in addresses.
func (c *consumer) cursorAfterAll() string {
	c.t.Helper()
	_, body := c.do("GET", "/hub/v1/datasets/addresses/changes?limit=5000", "")
	lines := strings.Split(strings.TrimSpace(body), "\n")
	var end struct {
		Next string `json:"next_cursor"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil {
		c.t.Fatal(err)
	}
	return end.Next
}
