package rpc

import (
	"sync"
	"time"
)

// Limiter is a token bucket per key: each key may do burst things at once and
// rate a second after that. It holds a bounded number of keys.
type Limiter struct {
	rate  float64
	burst float64
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets bounds the memory that strangers can make a Limiter use: some 20 MB.
const maxBuckets = 100_000

// NewLimiter returns a limiter; rate is things a second, now the clock.
func NewLimiter(rate, burst float64, now func() time.Time) *Limiter {
	return &Limiter{rate: rate, burst: burst, now: now, buckets: map[string]bucket{}}
}

// Allow takes one token of key's bucket, or returns ErrTooMany with the time
// until there is one.
func (l *Limiter) Allow(key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, known := l.buckets[key]
	if !known {
		b = bucket{l.burst, now}
		if len(l.buckets) >= maxBuckets {
			l.forget(now)
		}
	}
	b.tokens = min(l.burst, b.tokens+l.rate*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < 1 {
		l.buckets[key] = b
		return ErrTooMany.After(time.Duration((1 - b.tokens) / l.rate * float64(time.Second)))
	}
	b.tokens--
	l.buckets[key] = b
	return nil
}

// forget drops the keys whose buckets are full again, and all of them when none
// is: for a moment everybody may burst, which is better than refusing everybody.
func (l *Limiter) forget(now time.Time) {
	for key, b := range l.buckets {
		if b.tokens+l.rate*now.Sub(b.at).Seconds() >= l.burst {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}
