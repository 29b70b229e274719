package bridge

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestPeople keeps the directory on the device, and fetches it again when a
// name is unknown, but not for each of them.
func TestPeople(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const path = "GET /api/v1/people"
		o := newOffice(t)
		o.answers[path] = `{"people":[{"name":"officer.a","display_name":"Nguyễn Thị An","role":"officer"}]}`
		s := newShelf(o)
		p := page{t, s.bridge()}
		known := func(unknown string, want ...string) {
			t.Helper()
			var people []Person
			p.must("people", object{"unknown": unknown}, &people)
			got := []string{}
			for _, one := range people {
				got = append(got, one.Name+"="+one.Display+"/"+one.Role)
			}
			if !slices.Equal(got, want) {
				t.Errorf("people: got %q, want %q", got, want)
			}
		}
		asked := func(want int) {
			t.Helper()
			synctest.Wait()
			if got := o.count(path); got != want {
				t.Errorf("the directory was fetched %d times, want %d", got, want)
			}
		}
		p.must("login", signing(nil), nil)
		asked(1)
		known("", "officer.a=Nguyễn Thị An/officer")
		if told := s.seen("people"); len(told) != 1 || told[0] != `[{"name":"officer.a","display":"Nguyễn Thị An","role":"officer"}]` {
			t.Errorf("told %q", told)
		}

		// Somebody has come since.
		o.set(func() {
			o.answers[path] = `{"people":[{"name":"officer.a","display_name":"Nguyễn Thị An","role":"officer"},{"name":"officer.n","display_name":"Võ Minh Nhật","role":"officer"}]}`
		})
		known("officer.n", "officer.a=Nguyễn Thị An/officer")
		asked(1) // just now
		time.Sleep(learnAgain)
		known("officer.a", "officer.a=Nguyễn Thị An/officer")
		asked(1) // not unknown
		for range 5 {
			p.must("people", object{"unknown": "officer.n"}, nil)
		}
		asked(2)
		known("officer.n", "officer.a=Nguyễn Thị An/officer", "officer.n=Võ Minh Nhật/officer")
		if told := s.seen("people"); len(told) != 2 {
			t.Errorf("told %q", told)
		}

		// Without a network, behind a restart, names are there. They come anew
		// with the network, and nobody is told of what is the same.
		o.set(func() { o.offline = true })
		p.must("logout", object{}, nil)
		p = page{t, s.bridge()}
		p.must("unlock", signing(nil), nil)
		known("officer.z", "officer.a=Nguyễn Thị An/officer", "officer.n=Võ Minh Nhật/officer")
		asked(2)
		o.set(func() { o.offline = false })
		p.must("syncNow", nil, nil)
		p.call("api", object{"method": "GET", "path": "/api/v1/unit/day"}, nil)
		synctest.Wait()
		if o.count(path) <= 2 {
			t.Error("the directory was not fetched when the network was back")
		}
		if told := s.seen("people"); len(told) != 2 {
			t.Errorf("told %q", told)
		}
		p.must("logout", object{}, nil)
	})
}

// TestPeopleAreNoConditionOfWork signs in although the directory cannot be had,
// and does not ask for it on behalf of roles that may not read it.
func TestPeopleAreNoConditionOfWork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t) // knows no directory
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		synctest.Wait()
		var people []Person
		p.must("people", object{}, &people)
		if people == nil || len(people) != 0 {
			t.Errorf("people: got %v, want none", people)
		}
		p.create("Đặng Thị Hoa")
		p.must("logout", object{}, nil)

		o.set(func() { o.role = "admin"; o.unit = ""; o.asked = nil })
		p.must("login", signing(object{"store": "a-2"}), nil)
		p.must("people", object{"unknown": "x"}, nil)
		synctest.Wait()
		if n := o.count("GET /api/v1/people"); n != 0 {
			t.Errorf("an administrator's device asked %d times", n)
		}
		p.must("logout", object{}, nil)
	})
}
