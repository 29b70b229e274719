package replication

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	changesets *prometheus.CounterVec
	givenBack  *prometheus.CounterVec
	admitted   *prometheus.CounterVec
	received   prometheus.Counter
	sent       prometheus.Counter
}

func (m *metrics) register(r prometheus.Registerer, s *Server) error {
	m.changesets = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wardbook_changesets_total",
		Help: "Changesets taken in, by what became of them."}, []string{"outcome"})
	m.givenBack = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wardbook_given_back_total",
		Help: "Writes that devices gave back after a restore, by what became of them; unproven are pages that this server never signed."}, []string{"outcome"})
	m.admitted = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wardbook_sessions_total",
		Help: "Sync sessions begun, by the verdict on their replica."}, []string{"verdict"})
	m.received = prometheus.NewCounter(prometheus.CounterOpts{Name: "wardbook_sync_received_bytes_total", Help: "Bytes of sync messages received over sockets."})
	m.sent = prometheus.NewCounter(prometheus.CounterOpts{Name: "wardbook_sync_sent_bytes_total", Help: "Bytes of sync messages sent over sockets."})
	if r == nil {
		return nil
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "wardbook_sockets_open", Help: "Open sync sockets."}, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.sessions))
	})
	for _, c := range []prometheus.Collector{m.changesets, m.givenBack, m.admitted, m.received, m.sent, open} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}
