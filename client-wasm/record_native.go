//go:build !js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/register"
)

// recordJSON is a record as -json prints it. The shape is a contract.
type recordJSON struct {
	ID        string                   `json:"id"`
	Register  string                   `json:"register"`
	Unit      string                   `json:"unit"`
	Fields    map[string]string        `json:"fields"`
	Conflicts map[string][]siblingJSON `json:"conflicts"`
	State     string                   `json:"state"`
	Review    string                   `json:"review"`
	Deleted   bool                     `json:"deleted"`
}

type siblingJSON struct {
	Value string `json:"value"`
	By    string `json:"by"`
	At    string `json:"at"` // RFC 3339, by the clock of who wrote it
}

func timeText(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

func asJSON(rec replica.Record) recordJSON {
	j := recordJSON{ID: rec.ID.String(), Register: rec.Register, Unit: rec.Unit, Fields: map[string]string{}, Conflicts: map[string][]siblingJSON{},
		State: string(rec.Place), Review: string(rec.Stage), Deleted: rec.Life == conflict.Deleted}
	for name, value := range rec.Values {
		j.Fields[name] = string(value)
	}
	for name, siblings := range rec.Conflicts {
		for _, s := range siblings {
			j.Conflicts[name] = append(j.Conflicts[name], siblingJSON{string(s.Value), s.Origin.Author, timeText(s.Origin.At)})
		}
	}
	if rec.Life == conflict.EditedAndDeleted {
		j.Conflicts["life"] = lifeSides(rec.Head)
	}
	return j
}

// lifeSides shows a record that was edited and deleted as a choice: who
// deleted it, and who last wrote to it.
func lifeSides(head conflict.Record) []siblingJSON {
	var sides []siblingJSON
	var edit conflict.Sibling
	for k, f := range head.All() {
		for i := range f.Len() {
			s := f.At(i)
			switch {
			case k.ID == conflict.FieldLife:
				state, _, _ := strings.Cut(string(s.Value), ";")
				sides = append(sides, siblingJSON{state, s.Origin.Author, timeText(s.Origin.At)})
			case k.ID >= conflict.FirstUserField && s.Origin.At > edit.Origin.At:
				edit = s
			}
		}
	}
	if !slices.ContainsFunc(sides, func(s siblingJSON) bool { return s.Value == "alive" }) {
		sides = append(sides, siblingJSON{"alive", edit.Origin.Author, timeText(edit.Origin.At)})
	}
	return sides
}

func (d *device) printJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.stdout, "%s\n", b)
	return err
}

// print prints one record: whole, or as one line of a list.
func (d *device) print(rec replica.Record, whole bool) error {
	if d.line.json {
		return d.printJSON(asJSON(rec))
	}
	def := d.definition(rec.Register)
	line := fmt.Sprintf("%s  %s  [%s, %s]", rec.ID, d.title(def, rec), d.place(rec.Place), d.stage(string(rec.Stage)))
	switch rec.Life {
	case conflict.Deleted:
		line += d.text("  ĐÃ XÓA", "  DELETED")
	case conflict.EditedAndDeleted:
		line += d.text("  VỪA SỬA VỪA XÓA", "  EDITED AND DELETED")
	}
	for _, name := range slices.Sorted(maps.Keys(rec.Conflicts)) {
		line += d.text("  XUNG ĐỘT ", "  CONFLICT ") + name
	}
	fmt.Fprintln(d.stdout, line)
	if !whole {
		return nil
	}
	for i := range def.Fields {
		f := &def.Fields[i]
		if siblings := rec.Conflicts[f.Name]; len(siblings) > 0 {
			for _, s := range siblings {
				fmt.Fprintf(d.stdout, "  %s %s = %s  (%s, %s)\n", d.text("≠", "!="), f.Name, s.Value, s.Origin.Author, time.UnixMilli(s.Origin.At).Format("02/01/2006 15:04"))
			}
		} else if v := rec.Values[f.Name]; v != "" {
			fmt.Fprintf(d.stdout, "  %s = %s\n", f.Name, v)
		}
	}
	return nil
}

func (d *device) title(def *register.Definition, rec replica.Record) string {
	if def != nil {
		for _, name := range append([]string{def.TitleField}, def.ListColumns...) {
			if v := rec.Values[name]; v != "" {
				return register.Display(def, name, v, d.lang)
			}
		}
	}
	return "-"
}

func (d *device) place(p replica.Place) string {
	switch p {
	case replica.PlaceLocal:
		return d.text("trên thiết bị này", "on this device")
	case replica.PlaceReceived:
		return d.text("đã nhận", "received")
	case replica.PlaceApproved:
		return d.text("đã duyệt", "approved")
	}
	return d.text("tại trục dữ liệu", "at the hub")
}

func (d *device) stage(s string) string {
	if d.lang != "vi" {
		return s
	}
	if t, ok := map[string]string{"draft": "bản nháp", "submitted": "chờ duyệt", "returned": "bị trả lại", "refused": "bị từ chối",
		"approved": "được duyệt", "quarantined": "bị giữ lại"}[s]; ok {
		return t
	}
	return s
}

// definition returns a register's definition, or nil.
func (d *device) definition(id string) *register.Definition {
	for _, def := range d.replica.Definitions() {
		if string(def.ID) == id {
			return def
		}
	}
	return nil
}

// register returns the definition of a register that a command names.
func (d *device) register(id string) (*register.Definition, error) {
	if def := d.definition(id); def != nil {
		return def, nil
	}
	var ids []string
	for _, def := range d.replica.Definitions() {
		ids = append(ids, string(def.ID))
	}
	if len(ids) == 0 {
		return nil, wrong("unknown register %q: this device has no registers yet; sign in again with a server", id)
	}
	return nil, wrong("unknown register %q; the registers are %s", id, strings.Join(ids, ", "))
}

func unknownField(def *register.Definition, name string) error {
	var names []string
	for i := range def.Fields {
		if !def.Fields[i].Retired {
			names = append(names, def.Fields[i].Name)
		}
	}
	return wrong("register %q has no field %q; its fields are %s", def.ID, name, strings.Join(names, ", "))
}

func (d *device) put(ctx context.Context, reg string, assignments []string) error {
	def, err := d.register(reg)
	if err != nil {
		return err
	}
	q := replica.PutRequest{Register: reg, Record: d.line.flags["record"], Values: map[string]string{}}
	for _, a := range assignments {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return wrong("put: %q is no FIELD=VALUE", a)
		}
		if def.FieldByName(name) == nil {
			return unknownField(def, name)
		}
		if _, twice := q.Values[name]; twice {
			return wrong("put: field %q stands twice", name)
		}
		q.Values[name] = value
	}
	if len(q.Values) == 0 {
		return wrong("put: name at least one FIELD=VALUE")
	}
	reply, err := d.replica.Put(ctx, q)
	if err != nil {
		var f *replica.Failure
		if errors.As(err, &f) && f.Code == "in_conflict" {
			return fmt.Errorf("field %s holds several values; choose one: wardbook-device -dir %s settle %s %s VALUE", f.Field, d.line.dir, q.Record, f.Field)
		}
		return err
	}
	for _, f := range reply.Findings {
		if f.Level != register.Info {
			fmt.Fprintf(d.stderr, "%s %s: %s\n", f.Code, f.Field, d.text(f.VI, f.EN))
		}
	}
	if d.line.json {
		return d.show(ctx, reply.ID)
	}
	_, err = fmt.Fprintln(d.stdout, reply.ID)
	return err
}

// show prints a record whole.
func (d *device) show(ctx context.Context, id string) error {
	rec, err := d.replica.Record(ctx, id)
	if err != nil {
		return err
	}
	if err := d.print(rec, true); err != nil || d.line.json {
		return err
	}
	view, err := d.replica.Get(ctx, id)
	if err != nil {
		return err
	}
	if view.BackedUp {
		fmt.Fprintln(d.stdout, d.text("  đã sao lưu: những gì máy này ghi vẫn còn nếu mất máy chủ", "  backed up: what this device wrote survives the loss of the server"))
	}
	for _, q := range view.Quarantine {
		fmt.Fprintf(d.stdout, "  %s: %s", d.text("thay đổi bị giữ lại", "change in quarantine"), d.text(q.VI, q.EN))
		if q.As != "" {
			fmt.Fprintf(d.stdout, " (%s)", q.As)
		}
		fmt.Fprintln(d.stdout)
	}
	return nil
}

func (d *device) get(ctx context.Context, id string) error { return d.show(ctx, id) }

var filters = []replica.Filter{replica.FilterAll, replica.FilterMine, replica.FilterConflicts, replica.FilterDrafts, replica.FilterReturned, replica.FilterDeleted}

func (d *device) list(ctx context.Context, reg string) error {
	if _, err := d.register(reg); err != nil {
		return err
	}
	filter := replica.Filter(d.line.flags["filter"])
	if filter != "" && !slices.Contains(filters, filter) {
		return wrong("list: unknown filter %q; the filters are all, mine, conflicts, drafts, returned, deleted", filter)
	}
	for offset := 0; ; {
		reply, err := d.replica.List(ctx, replica.ListRequest{Register: reg, Search: d.line.flags["search"], Filter: filter, Offset: offset, Limit: 500})
		if err != nil {
			return err
		}
		if err := d.printRows(ctx, reply.Rows); err != nil {
			return err
		}
		if offset += len(reply.Rows); len(reply.Rows) == 0 || offset >= reply.Total {
			return nil
		}
	}
}

func (d *device) printRows(ctx context.Context, rows []replica.Row) error {
	for _, row := range rows {
		rec, err := d.replica.Record(ctx, row.ID)
		if err != nil {
			return err
		}
		if err := d.print(rec, false); err != nil {
			return err
		}
	}
	return nil
}

func (d *device) delete(ctx context.Context, id string) error {
	if _, err := d.replica.Delete(ctx, id); err != nil {
		return err
	}
	return d.showLine(ctx, id)
}

func (d *device) showLine(ctx context.Context, id string) error {
	rec, err := d.replica.Record(ctx, id)
	if err != nil {
		return err
	}
	return d.print(rec, false)
}

func (d *device) conflicts(ctx context.Context) error {
	rows, err := d.replica.Conflicts(ctx)
	if err != nil {
		return err
	}
	return d.printRows(ctx, rows)
}

func (d *device) damaged(ctx context.Context, args []string) error {
	switch {
	case len(args) == 0:
		all, err := d.replica.Damaged(ctx)
		if err != nil {
			return err
		}
		for _, one := range all {
			if err := d.printJSON(one); err != nil {
				return err
			}
		}
		return nil
	case args[0] == "drop":
		return d.replica.DropDamaged(ctx)
	}
	return wrong("damaged: %q is none of its words; it lists what is damaged, and with drop lets go of it", args[0])
}

func (d *device) settle(ctx context.Context, id, field, value string) error {
	rec, err := d.replica.Record(ctx, id)
	if err != nil {
		return err
	}
	if def := d.definition(rec.Register); field != "life" && def.FieldByName(field) == nil {
		return unknownField(def, field)
	}
	if _, err := d.replica.Settle(ctx, replica.SettleRequest{ID: id, Field: field, Value: &value}); err != nil {
		var f *replica.Failure
		if errors.As(err, &f) && field == "life" && f.Code == "no_choice" {
			return wrong("settle: the value of life is alive or deleted, not %q", value)
		}
		return err
	}
	return d.show(ctx, id)
}

func (d *device) household(ctx context.Context, id string) error {
	ids, err := d.replica.Household(ctx, id)
	if err != nil {
		return err
	}
	for _, id := range ids {
		fmt.Fprintln(d.stdout, id)
	}
	return nil
}

func (d *device) move(ctx context.Context, unit string, ids []string) error {
	if !register.UnitCode(unit).Valid() {
		return wrong("move: %q is no unit's code; it has five digits, such as 27169", unit)
	}
	if err := d.replica.Move(ctx, ids, unit, d.line.flags["reason"]); err != nil {
		return err
	}
	for _, id := range ids {
		if err := d.showLine(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
