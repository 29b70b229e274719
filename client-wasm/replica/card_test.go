package replica_test

import (
	"strings"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/sync/protocol"
	"wardbook/sync/register/templates"
)

const cardText = "079090000001|023456789|NGUYỄN VĂN HOÀ|05081990|Nam|12 Lê Lợi, Bến Nghé, Quận 1, TP.Hồ Chí Minh|01072021"

func TestCard(t *testing.T) {
	now := int64(1_790_000_000_000)
	r, err := replica.Open(ctx, replica.Config{Store: store.NewMemory(), Now: func() int64 { now++; return now }, Rand: seeded(1),
		Account: replica.Account{Name: "officer.a", Unit: unit}, Lang: "vi"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, def := range all {
		if err := r.SetDefinitions(ctx, def.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.SetScopes(ctx, []protocol.Scope{{Stream: protocol.Stream{Unit: unit, Register: "residents"}}}); err != nil {
		t.Fatal(err)
	}
	put := func(values map[string]string) string {
		t.Helper()
		reply, err := r.Put(ctx, replica.PutRequest{Register: "residents", Values: values, NoSubmit: true})
		if err != nil {
			t.Fatal(err)
		}
		return reply.ID
	}
	read := func(text string) replica.CardReply {
		t.Helper()
		reply, err := r.Card(ctx, "residents", text)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}

	// Nobody under this number: what the card says, in the register's fields.
	put(map[string]string{"full_name": "Nguyễn Văn Hòa", "personal_id": "079090000002", "old_id_9": "023456789"})
	reply := read(cardText)
	want := map[string]string{"personal_id": "079090000001", "old_id_9": "023456789", "full_name": "NGUYỄN VĂN HOÀ", "dob": "1990-08-05", "sex": "1",
		"permanent_address_old": "12 Lê Lợi, Bến Nghé, Quận 1, TP.Hồ Chí Minh"}
	if reply.Record != "" || len(reply.Differences) > 0 || reply.Complete {
		t.Errorf("got %+v, want nobody, and not all of the register looked at", reply)
	}
	for name, value := range want {
		if reply.Values[name] != value {
			t.Errorf("%s: got %q, want %q", name, reply.Values[name], value)
		}
	}
	if len(reply.Values) != len(want) {
		t.Errorf("got %v", reply.Values)
	}

	// By the old number, where no new one is known.
	old := put(map[string]string{"full_name": "Nguyễn Văn Hòa", "old_id_9": "023456789"})
	if reply := read(cardText); reply.Record != old {
		t.Errorf("by the old number: got %q, want %q", reply.Record, old)
	}

	// By the number. The tone of hòa and capitals are no difference; a birth
	// year for a birthday is.
	id := put(map[string]string{"full_name": "Nguyễn Văn Hòa", "personal_id": "079090000001", "dob": "1990", "sex": "2", "permanent_address_old": "12 Lê Lợi, Bến Nghé, Quận 1, TP.Hồ Chí Minh"})
	reply = read(cardText)
	if reply.Record != id || reply.Title != "Nguyễn Văn Hòa" || reply.Others != 0 {
		t.Errorf("got %+v, want %s", reply, id)
	}
	var got []string
	for _, d := range reply.Differences {
		got = append(got, d.Field+"="+d.Value)
	}
	if text := strings.Join(got, " "); text != "old_id_9=023456789 dob=1990-08-05 sex=1" {
		t.Errorf("got differences %s", text)
	}
	// It is only read.
	rec, err := r.Record(ctx, id)
	if err != nil || rec.Values["dob"] != "1990" || rec.Values["sex"] != "2" {
		t.Errorf("the record has changed: %v, %v", rec.Values, err)
	}
	put(map[string]string{"full_name": "Nguyễn Văn Hoa", "personal_id": "079090000001"})
	if reply := read(cardText); reply.Others != 1 {
		t.Errorf("got %d others under the number, want 1", reply.Others)
	}

	_, err = r.Card(ctx, "residents", "https://example.com/079090000001")
	if err == nil || strings.Contains(err.Error(), "079090000001") {
		t.Errorf("no card: got %v, want an error without its text", err)
	}
}
