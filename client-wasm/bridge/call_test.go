package bridge

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// FuzzCall: whatever a page passes, signed in or not, the answer is one of the
// contract's, and nothing panics.
func FuzzCall(f *testing.F) {
	names := slices.Sorted(maps.Keys(calls))
	for i, name := range names {
		for _, args := range []string{`null`, `{"id":"00000000000000000000000000000001:1","register":"residents","key":"k","values":{"full_name":"Đặng Thị Hoà"}}`} {
			f.Add(uint8(i), name != "login", []byte(args))
		}
	}
	f.Add(uint8(0), true, []byte(`{"method":"GET","path":"/api/v1/../secret"}`))
	f.Fuzz(func(t *testing.T, which uint8, signedIn bool, args []byte) {
		name := names[int(which)%len(names)]
		bubble(t, func(t *testing.T) {
			b := newShelf(newOffice(t)).bridge()
			p := page{t, b}
			if signedIn {
				p.must("login", signing(nil), nil)
			}
			reply := b.Call(t.Context(), name, args)
			var answer struct {
				OK    json.RawMessage `json:"ok"`
				Error *Failure        `json:"error"`
			}
			if err := json.Unmarshal(reply, &answer); err != nil {
				t.Errorf("%s %q: got %q, which is no answer: %v", name, args, reply, err)
			}
			if answer.Error != nil && (answer.Error.VI == "" || answer.Error.Code == "" || string(reply) == string(b.panicked(name, "compare"))) {
				t.Errorf("%s %q: got %q", name, args, reply)
			}
			p.call("logout", nil, nil)
		})
	})
}
