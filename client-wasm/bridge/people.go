package bridge

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Person is one entry of the directory: what people call the account that a
// record names.
type Person struct {
	Name    string `json:"name"`
	Display string `json:"display"`
	Role    string `json:"role"`
}

type peopleRequest struct {
	Unknown string `json:"unknown,omitempty"`
}

// learnAgain is how long after one request of the directory an unknown name
// may cause another.
const learnAgain = time.Minute

// people answers from the device. A name that the directory lacks has it
// fetched again, for whoever joined the unit since; an event tells of it.
func (a *account) people(_ context.Context, q peopleRequest) ([]Person, error) {
	known := a.session().People
	if q.Unknown != "" && !slices.ContainsFunc(known, func(p Person) bool { return p.Name == q.Unknown }) && a.mayLearn() {
		a.tasks.Go(func() { a.learnOrLater() })
	}
	if known == nil {
		known = []Person{}
	}
	return known, nil
}

// mayLearn reports whether the directory was not asked for just now; whoever
// is told so asks.
func (a *account) mayLearn() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.replicates() || time.Since(a.learned) < learnAgain {
		return false
	}
	a.learned = time.Now()
	return true
}

// learnOrLater fetches the directory. Nobody waits for names: if it fails, the
// next token, or the next unknown name, has it tried again.
func (a *account) learnOrLater() {
	if err := a.learn(a.life); err != nil && a.life.Err() == nil {
		if codeOf(err) != errOffline.Code { // that is an ordinary day
			a.b.cfg.Log("fetch the directory: " + err.Error())
		}
		a.tokens.forget(a.life)
	}
}

// learn fetches the directory, keeps it, and tells the page if it is another.
func (a *account) learn(ctx context.Context) error {
	if !a.replicates() {
		return nil
	}
	a.mu.Lock()
	a.learned = time.Now()
	a.mu.Unlock()
	reply, err := a.request(ctx, "GET", "/api/v1/people", nil)
	if err != nil {
		return err
	}
	var told struct {
		People []struct {
			Name    string `json:"name"`
			Display string `json:"display_name"`
			Role    string `json:"role"`
		} `json:"people"`
	}
	if err := json.Unmarshal(reply, &told); err != nil {
		return errBusy
	}
	known := make([]Person, len(told.People))
	for i, p := range told.People {
		known[i] = Person(p)
	}
	if slices.Equal(known, a.session().People) {
		return nil
	}
	if err := a.keep(ctx, a.r.Account(), func(k *kept) { k.People = known }); err != nil {
		return err
	}
	a.b.emit("people", known)
	return nil
}
