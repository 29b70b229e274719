package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wardbook/server/auth"
	"wardbook/server/demo"
	"wardbook/server/review"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// TestDemoShowsEveryPlace looks at the demonstration as a newcomer does: every
// place between a draft and the hub has records in it, each with what belongs
// to it, and the seven accounts are the only ones with a password.
func TestDemoShowsEveryPlace(t *testing.T) {
	if testing.Short() {
		t.Skip("makes the demonstration's data")
	}
	a, err := openApp(t.Context(), appConfig{data: t.TempDir(), enrolment: auth.EnrolByPassword})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(t.Context())
	list, err := a.prepareDemo(t.Context(), demo.PerUnit, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 7 {
		t.Errorf("got %d accounts with a password, want 7", len(list))
	}
	again, err := a.prepareDemo(t.Context(), demo.PerUnit, 0)
	if err != nil || !slices.Equal(again, list) {
		t.Errorf("the second start: got %v, %v, want the same accounts", again, err)
	}

	i := slices.IndexFunc(list, func(d demoAccount) bool { return d.Name == "supervisor" })
	grant, err := a.auth.Login(t.Context(), auth.Credentials{Name: "supervisor", Password: list[i].Password, Label: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.auth.Authenticate(t.Context(), grant.Access)
	if err != nil {
		t.Fatal(err)
	}
	ctx := auth.NewContext(t.Context(), p)

	stages := map[record.Stage]int{}
	answerable := 0
	err = a.store.View(t.Context(), func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		for from := uint64(0); ; {
			rows, err := l.Changed(protocol.Stream{Unit: demo.Units[0], Register: "residents"}, from, 500)
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, row := range rows {
				from = row.Position
				r, _, err := record.ParseState(row.State, row.ID)
				if err != nil {
					return err
				}
				s := record.StandingOf(r)
				stages[s.Stage]++
				if s.Stage != record.StageReturned {
					continue
				}
				shown, err := a.review.History(ctx, review.HistoryRequest{ID: row.ID.String()})
				if err != nil {
					return err
				}
				if slices.ContainsFunc(shown.Steps, func(s review.Step) bool { return s.By == "officer.b" }) && s.Review.Question != "" {
					answerable++
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for stage, least := range map[record.Stage]int{record.StageDraft: 300, record.StageSubmitted: 100, record.StageApproved: 1300, record.StageReturned: 4, record.StageRefused: 2} {
		if stages[stage] < least {
			t.Errorf("stage %v: got %d records, want at least %d; all: %v", stage, stages[stage], least, stages)
		}
	}
	if answerable < 4 {
		t.Errorf("officer.b has %d returned records to answer, want at least 4", answerable)
	}

	kinds, explained, bare, clean := map[string]int{}, 0, 0, 0
	for cursor := ""; ; {
		page, err := a.review.Queue(ctx, review.QueueRequest{Cursor: cursor, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			kinds[item.Kind]++
			if item.Kind == "submitted" && item.Errors > 0 {
				t.Errorf("%s was handed in with an error", item.Title)
			}
			if item.Group == "clean" {
				clean++
			}
			if item.Warnings > 0 && item.Kind == "submitted" {
				if slices.ContainsFunc(item.Reasons, func(r review.Reason) bool { return r.Code == "warning" }) {
					bare++
				}
				shown, err := a.review.Record(ctx, review.RecordRequest{ID: item.ID})
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range shown.Fields {
					for _, finding := range f.Findings {
						if strings.TrimSpace(finding.Reason) != "" {
							explained++
						}
					}
				}
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	t.Log(stages, kinds, "explained", explained, "left out for warnings", bare, "ready", clean)
	if kinds["conflict"] != 10 || kinds["deletion"] != 1 || kinds["submitted"] < 100 || explained < 10 || clean < 5 {
		t.Errorf("the queue holds %v, %d warnings with a reason, %d ready for a batch", kinds, explained, clean)
	}

	all, err := a.auth.List(t.Context(), auth.Console(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range all {
		known := slices.ContainsFunc(list, func(d demoAccount) bool { return d.Name == account.Name })
		if account.Disabled == known {
			t.Errorf("account %s: disabled is %v, and it has a printed password: %v", account.Name, account.Disabled, known)
		}
	}
	if len(all) != len(list)+len(demo.Former) {
		t.Errorf("got %d accounts, want %d", len(all), len(list)+len(demo.Former))
	}
}

// TestDemoBrokenOff begins the demonstration twice in one folder.
func TestDemoBrokenOff(t *testing.T) {
	a, err := openApp(t.Context(), appConfig{data: t.TempDir(), enrolment: auth.EnrolByPassword})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(t.Context())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // it takes seconds
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(a.cfg.data, demoBegun)); err == nil {
				stop()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := a.prepareDemo(ctx, 10, 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("broken off: got %v", err)
	}
	if _, err := a.prepareDemo(t.Context(), 10, 0); err == nil || !strings.Contains(err.Error(), "delete the folder "+a.cfg.data) {
		t.Errorf("again: got %v, want what to do", err)
	}
}
