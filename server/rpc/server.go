package rpc

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Gate says who a request comes from, and whether they may use a route. The
// context it returns carries the caller to the service.
type Gate interface {
	Admit(r *http.Request, route Route) (context.Context, error)
}

// Config is what a Server needs.
type Config struct {
	Gate Gate         // required, unless every route is public
	Log  *slog.Logger // default discards
	// Registerer takes the metrics; nil: none are kept.
	Registerer prometheus.Registerer
	// Limit, when set, is asked before anything else is done for a request; an
	// error, ErrTooMany as a rule, refuses it.
	Limit func(r *http.Request, route Route) error
	// TrustedProxies are the only peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Timeout bounds a request's work; default 30 s, negative: none.
	Timeout time.Duration
}

// Server gives routes what they share.
type Server struct {
	Config
	seconds *prometheus.HistogramVec
}

// NewServer returns a server for c.
func NewServer(c Config) (*Server, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	s := &Server{Config: c}
	if c.Registerer != nil {
		s.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wardbook_http_request_seconds",
			Help:    "Time from a request's arrival to the end of its reply.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "status"})
		if err := c.Registerer.Register(s.seconds); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return s, nil
}

// Mount registers the routes on mux, and below each prefix (such as "/api/") a
// refusal, in the one form that errors have, of unknown paths and of known paths
// asked by another method.
func (s *Server) Mount(mux *http.ServeMux, routes []Route, prefixes ...string) {
	methods := map[string]bool{}
	for _, route := range routes {
		if route.Handler == nil {
			panic("rpc: route " + route.Method + " " + route.Path + " has no handler")
		}
		if s.Gate == nil && !route.Public {
			panic("rpc: route " + route.Method + " " + route.Path + " needs a gate")
		}
		mux.Handle(route.Method+" "+route.Path, s.wrap(route))
		methods[route.Method] = true
	}
	for _, prefix := range prefixes {
		mux.Handle(prefix, s.wrap(Route{Path: prefix, Public: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var allowed []string
			for method := range methods {
				other := r.Clone(r.Context())
				other.Method = method
				if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
					allowed = append(allowed, method)
				}
			}
			if allowed == nil {
				WriteError(r.Context(), w, ErrNotFound)
				return
			}
			sort.Strings(allowed)
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			WriteError(r.Context(), w, errMethod)
		})}))
	}
}

// Info is what is known of a request apart from its contents.
type Info struct {
	ID      string     // random, also in the reply's X-Request-Id
	Address netip.Addr // of the client; of the proxy when that is not trusted
	route   string
	caller  string
	err     error
}

type infoKey struct{}

func infoOf(ctx context.Context) *Info {
	i, _ := ctx.Value(infoKey{}).(*Info)
	return i
}

// InfoFrom returns the request's Info; outside a request, the zero Info.
func InfoFrom(ctx context.Context) Info {
	if i := infoOf(ctx); i != nil {
		return *i
	}
	return Info{}
}

// NameCaller gives the log a pseudonymous id of who is calling. Gates call it.
func NameCaller(ctx context.Context, id string) {
	if i := infoOf(ctx); i != nil {
		i.caller = id
	}
}

func (s *Server) wrap(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		info := &Info{ID: newID(), Address: ClientAddress(r, s.TrustedProxies), route: strings.TrimSpace(route.Method + " " + route.Path)}
		ctx := context.WithValue(r.Context(), infoKey{}, info)
		timeout := s.Timeout
		if route.Timeout != 0 {
			timeout = route.Timeout
		}
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		r = r.WithContext(ctx)
		setHeaders(w.Header(), r)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Request-Id", info.ID)
		out := &recorder{ResponseWriter: w}
		defer s.finish(out, r, info, began)
		if s.Limit != nil {
			if err := s.Limit(r, route); err != nil {
				WriteError(ctx, out, err)
				return
			}
		}
		if !route.Public {
			var err error
			if ctx, err = s.Gate.Admit(r, route); err != nil {
				WriteError(r.Context(), out, err)
				return
			}
			r = r.WithContext(ctx)
		}
		route.Handler.ServeHTTP(out, r)
	})
}

// finish answers after a panic, then writes the request's one log line and its
// measurement.
func (s *Server) finish(w *recorder, r *http.Request, info *Info, began time.Time) {
	var abort any
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler {
			panic(v)
		}
		info.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		if w.status == 0 {
			WriteError(r.Context(), w, info.err)
		} else {
			abort = http.ErrAbortHandler // half a reply must not look like a whole one
		}
	}
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	took := time.Since(began)
	if s.seconds != nil {
		s.seconds.WithLabelValues(info.route, strconv.Itoa(status)).Observe(took.Seconds())
	}
	attrs := []slog.Attr{
		slog.String("request", info.ID), slog.String("route", info.route), slog.Int("status", status),
		slog.Duration("took", took), slog.String("caller", info.caller),
	}
	level := slog.LevelInfo
	if info.err != nil {
		e := Public(info.err)
		attrs = append(attrs, slog.String("code", e.Code))
		if e.Kind == Internal || e.Kind == Unavailable || e.Kind == Full {
			// Only here does the cause reach the log: causes of refusals may quote
			// what a person typed.
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", info.err.Error()))
		}
	}
	s.Log.LogAttrs(r.Context(), level, "request", attrs...)
	if abort != nil {
		panic(abort)
	}
}

// Secure wraps a whole mux, so that every reply, also one of the standard
// library's own, carries the headers that a browser heeds. What is below is free
// to add or tighten.
func Secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header(), r)
		next.ServeHTTP(w, r)
	})
}

func setHeaders(h http.Header, r *http.Request) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
}

// ClientAddress returns where a request comes from: its peer, or, when the peer
// is a trusted proxy, the last address in X-Forwarded-For that is not one.
func ClientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	address = address.Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && isTrusted(address, trusted); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop.Unmap().WithZone("")
	}
	return address
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func newID() string {
	var b [10]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// recorder remembers the status. Streams may flush through it.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush sends what is buffered.
func (w *recorder) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	http.NewResponseController(w.ResponseWriter).Flush() // a dead peer shows at the next write
}
