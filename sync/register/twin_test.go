package register_test

import (
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/register"
	"wardbook/sync/register/templates"
)

func TestTwins(t *testing.T) {
	all, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	def := func(id string) *register.Definition {
		i := slices.IndexFunc(all, func(d *register.Definition) bool { return string(d.ID) == id })
		return all[i]
	}
	type values = map[string]conflict.Value
	for _, c := range []struct {
		name, register string
		a, b           values
		want           []register.LikelyKind // nil: no pair
	}{
		{"one number", "residents", values{"personal_id": "079090000001", "full_name": "Lan"}, values{"personal_id": "079090000001", "full_name": "Mai"}, []register.LikelyKind{register.SameValue}},
		{"one name and day", "residents", values{"full_name": "Nguyễn Văn Hòa", "dob": "1990-08-05"}, values{"full_name": "NGUYỄN VĂN HOÀ", "dob": "1990-08-05"}, []register.LikelyKind{register.SameName, register.SameDate}},
		{"typed without diacritics", "residents", values{"full_name": "Nguyễn Văn Hòa", "dob": "1990-08-05"}, values{"full_name": "Nguyen Van Hoa", "dob": "1990-08-05"}, []register.LikelyKind{register.LikeName, register.SameDate}},
		{"the year alone", "residents", values{"full_name": "Nguyễn Văn Hòa", "dob": "1958"}, values{"full_name": "Nguyễn Văn Hòa", "dob": "1958-08-05"}, []register.LikelyKind{register.SameName, register.FitsDate}},
		{"the year alone, without diacritics", "residents", values{"full_name": "Nguyễn Văn Hòa", "dob": "1958"}, values{"full_name": "Nguyễn Văn Hoa", "dob": "1958-08-05"}, nil},
		{"the same with one telephone", "residents", values{"full_name": "Nguyễn Văn Hòa", "dob": "1958", "phone": "+84903123456", "sex": "1"}, values{"full_name": "Nguyễn Văn Hoa", "dob": "1958-08-05", "phone": "+84903123456", "sex": "1"}, nil},
		{"another day", "residents", values{"full_name": "Nguyễn Văn Hòa", "dob": "1990-08-05"}, values{"full_name": "Nguyễn Văn Hòa", "dob": "1990-08-06"}, nil},
		{"another name", "residents", values{"full_name": "Nguyễn Văn Hòa", "dob": "1990-08-05"}, values{"full_name": "Nguyễn Văn Hoàng", "dob": "1990-08-05"}, nil},
		{"namesakes with numbers of their own", "residents", values{"full_name": "Nguyễn Văn Hòa", "dob": "1990-08-05", "personal_id": "079090000001"}, values{"full_name": "Nguyễn Văn Hòa", "dob": "1990-08-05", "personal_id": "079090000002"}, nil},
		{"a man and a woman of one name", "residents", values{"full_name": "Nguyễn Thanh", "dob": "1990-08-05", "sex": "1"}, values{"full_name": "Nguyễn Thanh", "dob": "1990-08-05", "sex": "2"}, nil},
		{"two heads", "residents", values{"household_no": "HS1", "relation_to_head": "01", "full_name": "Lan", "personal_id": "079090000001"}, values{"household_no": "HS1", "relation_to_head": "01", "full_name": "Mai", "personal_id": "079090000002"}, []register.LikelyKind{register.BothOne}},
		{"two children", "residents", values{"household_no": "HS1", "relation_to_head": "03", "full_name": "Lan"}, values{"household_no": "HS1", "relation_to_head": "03", "full_name": "Mai"}, nil},
		{"heads of two households", "residents", values{"household_no": "HS1", "relation_to_head": "01", "full_name": "Lan"}, values{"household_no": "HS2", "relation_to_head": "01", "full_name": "Mai"}, nil},
		{"nothing", "residents", values{}, values{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := def(c.register)
			l, ok := register.Alike(d, c.a, c.b)
			back, again := register.Alike(d, c.b, c.a)
			if ok != again || l.Score != back.Score {
				t.Errorf("the other way round: got %v, %v, want %v, %v", back, again, l, ok)
			}
			if ok != (c.want != nil) {
				t.Fatalf("got %+v, %v, want a pair: %v", l, ok, c.want != nil)
			}
			if !ok {
				return
			}
			var got []register.LikelyKind
			for _, r := range l.Reasons {
				got = append(got, r.Kind)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			meet := slices.ContainsFunc(register.TwinKeys(d, c.a), func(k string) bool { return slices.Contains(register.TwinKeys(d, c.b), k) })
			if !meet {
				t.Errorf("a pair that has no key in common: %q, %q", register.TwinKeys(d, c.a), register.TwinKeys(d, c.b))
			}
		})
	}
}
