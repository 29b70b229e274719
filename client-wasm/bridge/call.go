package bridge

import (
	"context"
	"encoding/json"
	"strings"

	"wardbook/client-wasm/replica"
	"wardbook/sync/register"
)

// call is one call of the contract.
type call func(ctx context.Context, b *Bridge, args []byte) (any, error)

// calls are all that the page may ask of the module. boot is missing: the
// worker answers it, before the module runs.
var calls = map[string]call{
	"login":   of((*Bridge).login),
	"unlock":  of((*Bridge).unlock),
	"late":    of((*Bridge).writeLate),
	"session": of(func(b *Bridge, _ context.Context, _ none) (*Session, error) { return b.session(), nil }),
	"logout":  of((*Bridge).logout),
	"list":    on((*account).list),
	"get":     on(func(a *account, ctx context.Context, q byID) (replica.RecordView, error) { return a.r.Get(ctx, q.ID) }),
	"history": on(func(a *account, ctx context.Context, q byID) (replica.HistoryReply, error) {
		return a.r.History(ctx, q.ID)
	}),
	"open": on(func(a *account, ctx context.Context, q openRequest) (replica.Form, error) {
		return a.r.OpenForm(ctx, q.ID, q.Register)
	}),
	"draft":   on((*account).draft),
	"drafts":  on(func(a *account, ctx context.Context, _ none) ([]replica.Form, error) { return a.r.Drafts(ctx) }),
	"discard": on(func(a *account, ctx context.Context, q byKey) (any, error) { return nil, a.r.Discard(ctx, q.Key) }),
	"check": on(func(a *account, ctx context.Context, q checkRequest) ([]register.Finding, error) {
		return a.r.Check(ctx, q.Register, q.ID, q.Values)
	}),
	"save": on(func(a *account, ctx context.Context, q replica.SaveRequest) (replica.SaveReply, error) {
		return a.r.Save(ctx, q)
	}),
	"remove": on(func(a *account, ctx context.Context, q byID) (replica.RecordView, error) {
		return a.r.Delete(ctx, q.ID)
	}),
	"restore": on(func(a *account, ctx context.Context, q byID) (replica.RecordView, error) {
		return a.r.Restore(ctx, q.ID)
	}),
	"settle": on(func(a *account, ctx context.Context, q replica.SettleRequest) (replica.RecordView, error) {
		return a.r.Settle(ctx, q)
	}),
	"undo": on(func(a *account, ctx context.Context, q undoRequest) (replica.RecordView, error) {
		return a.r.Undo(ctx, q.ID, q.Field, q.Dot)
	}),
	"bringBack": on(func(a *account, ctx context.Context, q bringBackRequest) (replica.RecordView, error) {
		return a.r.BringBack(ctx, q.ID, q.Field, q.Dot, q.Value)
	}),
	"pairs":   on(func(a *account, ctx context.Context, _ none) (replica.PairsReply, error) { return a.r.Pairs(ctx) }),
	"pairsOf": on(func(a *account, ctx context.Context, q byID) ([]replica.Pair, error) { return a.r.PairsOf(ctx, q.ID) }),
	"follow":  on(func(a *account, ctx context.Context, q byID) (replica.Followed, error) { return a.r.Follow(ctx, q.ID) }),
	"decidePair": on(func(a *account, ctx context.Context, q replica.Decide) (replica.Pair, error) {
		return a.r.DecidePair(ctx, q)
	}),
	"checked": on(func(a *account, ctx context.Context, q byID) (replica.RecordView, error) {
		return a.r.Checked(ctx, q.ID)
	}),
	"together": on(func(a *account, ctx context.Context, q byID) ([]string, error) { return a.r.Household(ctx, q.ID) }),
	"move": on(func(a *account, ctx context.Context, q moveRequest) (any, error) {
		return nil, a.r.Move(ctx, q.IDs, q.Unit, q.Reason)
	}),
	"submit": on(func(a *account, ctx context.Context, q submitRequest) (replica.SaveReply, error) {
		return a.r.Submit(ctx, q.ID, q.Reasons)
	}),
	"answer": on(func(a *account, ctx context.Context, q answerRequest) (replica.RecordView, error) {
		return a.r.Answer(ctx, q.ID, q.Question, q.Text)
	}),
	"reveal":    on((*account).reveal),
	"conflicts": on(func(a *account, ctx context.Context, _ none) ([]replica.Row, error) { return a.r.Conflicts(ctx) }),
	"status":    on(func(a *account, ctx context.Context, _ none) (replica.Status, error) { return a.status(ctx) }),
	"people":    on((*account).people),
	"syncNow":   on(func(a *account, _ context.Context, _ none) (any, error) { a.wake(); return nil, nil }),
	"card": on(func(a *account, ctx context.Context, q cardRequest) (replica.CardReply, error) {
		return a.r.Card(ctx, q.Register, q.Text)
	}),
	"device": on((*account).device),
	"choose": on((*account).choose),
	"line":   on((*account).line),
	"lang":   of((*Bridge).setLang),
	"units":  on(func(_ *account, _ context.Context, q unitsRequest) ([]Unit, error) { return findUnits(q.Search), nil }),
	"suggestUnits": on(func(_ *account, _ context.Context, q suggestRequest) (Suggestion, error) {
		return suggestUnits(q.Old), nil
	}),
	"api":     on((*account).api),
	"damaged": on(func(a *account, ctx context.Context, _ none) ([]replica.Damaged, error) { return a.r.Damaged(ctx) }),
	"dropDamaged": on(func(a *account, ctx context.Context, _ none) (any, error) {
		err := a.r.DropDamaged(ctx)
		a.wake()
		return nil, err
	}),
	"rescue":   on(func(a *account, ctx context.Context, _ none) (Rescue, error) { return a.rescue(ctx) }),
	"lateSave": on((*account).lateSave),
}

// of makes a call of a method of the bridge.
func of[A, R any](do func(*Bridge, context.Context, A) (R, error)) call {
	return func(ctx context.Context, b *Bridge, args []byte) (any, error) {
		var a A
		if err := decode(args, &a); err != nil {
			return nil, err
		}
		return do(b, ctx, a)
	}
}

// on makes a call of a method of the open account.
func on[A, R any](do func(*account, context.Context, A) (R, error)) call {
	return of(func(b *Bridge, ctx context.Context, args A) (r R, err error) {
		a := b.current()
		if a == nil {
			return r, errSignedOut
		}
		if err := a.enter(); err != nil {
			return r, err
		}
		defer a.leave()
		r, err = do(a, ctx, args)
		a.unsay()
		return r, err
	})
}

// decode reads arguments. A call without any is made with null.
func decode(args []byte, into any) error {
	if len(args) == 0 {
		return nil
	}
	if err := json.Unmarshal(args, into); err != nil {
		return malformed("arguments", err)
	}
	return nil
}

// The arguments and replies that are not replica's own. The contract is
// web/src/bridge.ts.
type (
	none struct{}
	byID struct {
		ID string `json:"id"`
	}
	byKey struct {
		Key string `json:"key"`
	}
	openRequest struct {
		ID       string `json:"id,omitempty"`
		Register string `json:"register,omitempty"`
	}
	draftRequest struct {
		Key    string            `json:"key"`
		Values map[string]string `json:"values"`
	}
	draftReply struct {
		Saved bool `json:"saved"`
	}
	checkRequest struct {
		Register string            `json:"register"`
		ID       string            `json:"id,omitempty"`
		Values   map[string]string `json:"values"`
	}
	cardRequest struct {
		Register string `json:"register"`
		Text     string `json:"text"`
	}
	submitRequest struct {
		ID      string            `json:"id"`
		Reasons map[string]string `json:"reasons,omitempty"`
	}
	moveRequest struct {
		IDs    []string `json:"ids"`
		Unit   string   `json:"unit"`
		Reason string   `json:"reason"`
	}
	undoRequest struct {
		ID    string `json:"id"`
		Field string `json:"field"`
		Dot   string `json:"dot"`
	}
	bringBackRequest struct {
		ID    string  `json:"id"`
		Field string  `json:"field"`
		Dot   string  `json:"dot"`
		Value *string `json:"value,omitempty"`
	}
	answerRequest struct {
		ID       string `json:"id"`
		Question string `json:"question"`
		Text     string `json:"text"`
	}
	langRequest struct {
		Lang string `json:"lang"`
	}
	unitsRequest struct {
		Search string `json:"search"`
	}
	suggestRequest struct {
		Old string `json:"old"`
	}
)

func (a *account) draft(ctx context.Context, q draftRequest) (draftReply, error) {
	if err := a.r.SaveDraft(ctx, q.Key, q.Values); err != nil {
		return draftReply{}, err
	}
	return draftReply{Saved: true}, nil
}

// Unit is one of the city's units, as the page offers it.
type Unit struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// Suggestion is what an old name or address may mean today. Split says that a
// former unit went to several of today's, so that a person has to choose.
type Suggestion struct {
	Candidates []Unit `json:"candidates"`
	Split      bool   `json:"split"`
}

// findUnits returns the units whose name holds every word that was typed, or
// whose code begins with it, in the order of the official list.
func findUnits(typed string) []Unit {
	words := register.SearchWords(typed)
	found := []Unit{}
	for _, u := range register.Units() {
		name := " " + register.K3(u.NameVI)
		matches := true
		for _, w := range words {
			matches = matches && (strings.Contains(name, " "+w) || strings.HasPrefix(string(u.Code), w))
		}
		if matches {
			found = append(found, Unit{string(u.Code), u.NameVI})
		}
	}
	return found
}

func suggestUnits(old string) Suggestion {
	s := Suggestion{Candidates: []Unit{}}
	for _, c := range register.SuggestUnits(old) {
		s.Candidates = append(s.Candidates, Unit{string(c.Unit.Code), c.Unit.NameVI})
		s.Split = s.Split || c.Relation == register.Partial
	}
	return s
}
