package bridge

import (
	"context"
	"time"

	"wardbook/client-wasm/replica"
)

// DeviceView is what of the unit's registers is on this device, what is wanted
// here, and how much was received today on lines that are paid by the byte.
type DeviceView struct {
	Paused  bool                `json:"paused"`
	Spent   bool                `json:"spent"`
	Budget  int                 `json:"budget"` // MB a day, 0 for no limit
	Used    int64               `json:"used"`   // bytes
	Metered bool                `json:"metered"`
	Scopes  []replica.ScopeView `json:"scopes"`
}

// chooseRequest changes what is wanted; what is nil stays as it is.
type chooseRequest struct {
	Paused   *bool                   `json:"paused,omitempty"`
	First    *string                 `json:"first,omitempty"`
	Register *replica.ChosenRegister `json:"register,omitempty"`
	Budget   *int                    `json:"budget,omitempty"`
	More     bool                    `json:"more,omitempty"`
}

type lineRequest struct {
	Metered bool `json:"metered"`
}

// maxBudget is above what a ward weighs.
const maxBudget = 10_000 // MB

// usage is what was received today on lines that are paid by the byte.
type usage struct {
	Day    string `json:"day"` // in Vietnam
	Bytes  int64  `json:"bytes"`
	Budget int    `json:"budget"`         // MB a day, 0 for no limit
	More   bool   `json:"more,omitempty"` // today it may be more
}

// spent reports whether the day's data is used up.
func (u usage) spent() bool { return u.Budget > 0 && !u.More && u.Bytes >= int64(u.Budget)*1_000_000 }

// on returns u as it stands on a day.
func (u usage) on(day string) usage {
	if u.Day != day {
		u.Day, u.Bytes, u.More = day, 0, false
	}
	return u
}

// usageKept is by how many bytes what is kept may lag behind.
const usageKept = 1_000_000

func (a *account) day() string {
	return time.UnixMilli(a.b.cfg.Now()).UTC().Add(7 * time.Hour).Format(time.DateOnly)
}

// received counts what came over the line.
func (a *account) received(bytes int) {
	a.mu.Lock()
	if !a.metered {
		a.mu.Unlock()
		return
	}
	u := a.used.on(a.day())
	u.Bytes += int64(bytes)
	lags := u.Bytes-a.kept.Usage.Bytes >= usageKept || u.Day != a.kept.Usage.Day || u.spent() != a.used.spent()
	a.used = u
	a.mu.Unlock()
	if lags {
		a.tasks.Go(func() { a.keepUsage(a.life) })
	}
}

// keepUsage keeps what was counted, and holds receiving back while the budget
// is spent.
func (a *account) keepUsage(ctx context.Context) {
	a.mu.Lock()
	a.used = a.used.on(a.day())
	u, hold := a.used, a.metered && a.used.spent()
	a.mu.Unlock()
	a.r.Hold(hold)
	if err := a.keep(ctx, a.r.Account(), func(k *kept) { k.Usage = u }); err != nil && ctx.Err() == nil {
		a.b.cfg.Log("keep how much was received: " + err.Error())
	}
	a.news.poke()
}

// line notes whether the line is paid by the byte.
func (a *account) line(ctx context.Context, q lineRequest) (any, error) {
	a.mu.Lock()
	changed := a.metered != q.Metered
	a.metered = q.Metered
	a.mu.Unlock()
	if changed {
		a.keepUsage(ctx)
	}
	return nil, nil
}

func (a *account) device(ctx context.Context, _ none) (DeviceView, error) {
	a.mu.Lock()
	u, metered := a.used.on(a.day()), a.metered
	a.mu.Unlock()
	c, err := a.r.Scopes(ctx)
	if err != nil {
		return DeviceView{}, err
	}
	return DeviceView{Paused: c.Paused, Spent: metered && u.spent(), Budget: u.Budget, Used: u.Bytes, Metered: metered, Scopes: c.Scopes}, nil
}

func (a *account) choose(ctx context.Context, q chooseRequest) (DeviceView, error) {
	if q.Budget != nil && (*q.Budget < 0 || *q.Budget > maxBudget) {
		return DeviceView{}, malformed("budget", nil)
	}
	if q.Budget != nil || q.More {
		a.mu.Lock()
		a.used = a.used.on(a.day())
		if q.Budget != nil {
			a.used.Budget = *q.Budget
		}
		a.used.More = a.used.More || q.More
		a.mu.Unlock()
		a.keepUsage(ctx)
	}
	if q.Paused != nil || q.First != nil || q.Register != nil {
		err := a.r.Choose(ctx, func(c *replica.Choice) {
			if q.Paused != nil {
				c.Paused = *q.Paused
			}
			if q.First != nil {
				c.First = *q.First
			}
			if q.Register != nil {
				c.Set(*q.Register)
			}
		})
		if err != nil {
			return DeviceView{}, err
		}
	}
	a.news.poke()
	return a.device(ctx, none{})
}
