package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/backup"
	"wardbook/server/erasure"
	"wardbook/server/hub"
	"wardbook/server/ledger"
	"wardbook/server/live"
	"wardbook/server/replication"
	"wardbook/server/rescue"
	"wardbook/server/review"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/server/units"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
	"wardbook/sync/register/templates"
	"wardbook/web"
)

// appConfig is what an app is started with.
type appConfig struct {
	data       string // the data folder
	enrolment  auth.Enrolment
	origins    []string
	log        *slog.Logger
	perAccount int // sockets of an account; 0 means the default
	// definitions are the registers; nil means the templates.
	definitions []*register.Definition
}

// app is the program, wired. Tests start the same.
type app struct {
	cfg         appConfig
	store       *sqlite.Store
	auth        *auth.Service
	ledger      *ledger.Ledger
	bus         *live.Bus
	replication *replication.Server
	review      *review.Service
	hub         *hub.Feed
	units       *units.Service
	rescue      *rescue.Service
	erasure     *erasure.Service
	erasedList  *erasure.List
	definitions []*register.Definition
	handler     http.Handler
	openapi     []byte
	hold        *os.File // of the data folder
	stopUpkeep  context.CancelFunc
	upkeep      chan struct{}
}

// keysOfUse refuses a database that devices were enrolled in and whose keys are gone:
// with new ones nobody's sign-in would hold, and nothing that devices were told could
// be proved, without a word about it.
func (a *app) keysOfUse(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(a.cfg.data, "keys", "keys.json")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var used bool
	err := a.store.View(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM devices)`).Scan(&used)
	})
	if err == nil && used {
		err = errors.New("keys/keys.json is missing: put the saved folder keys back; if it is lost, wardbook backup and then wardbook restore -new-keys begin with new ones")
	}
	return err
}

// openApp opens the data folder, making it if it is absent, and wires the
// program over it. The caller closes the app.
func openApp(ctx context.Context, cfg appConfig) (_ *app, err error) {
	if cfg.log == nil {
		cfg.log = slog.New(slog.DiscardHandler)
	}
	a := &app{cfg: cfg, bus: &live.Bus{}}
	if a.definitions = cfg.definitions; a.definitions == nil {
		if a.definitions, err = templates.All(); err != nil {
			return nil, err
		}
	}
	if err := backup.Whole(cfg.data); err != nil { // before a file is made in it
		return nil, err
	}
	if a.hold, err = backup.Hold(cfg.data); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			if a.erasedList != nil {
				a.erasedList.Close()
			}
			if a.store != nil {
				a.store.Close()
			}
			a.hold.Close()
		}
	}()
	if err := backup.Whole(cfg.data); err != nil {
		return nil, err
	}
	if a.store, err = sqlite.Open(ctx, backup.DatabasePath(cfg.data), sqlite.Options{Log: cfg.log}); err != nil {
		return nil, err
	}
	if err := a.keysOfUse(ctx); err != nil {
		return nil, err
	}
	directory := units.NewDirectory(a.store)
	keys, err := auth.OpenKeys(filepath.Join(cfg.data, "keys"), time.Now(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if a.auth, err = auth.New(a.store, keys, auth.Options{AccountOptions: auth.AccountOptions{IsUnit: directory.IsUnit}, Enrolment: cfg.enrolment, Log: cfg.log}); err != nil {
		return nil, err
	}
	a.ledger = ledger.New(ledger.Config{Allow: mayWrite, IsUnit: directory.IsUnit, Definition: a.definition, Registers: a.registers(), Now: nowMillis, Key: keys.Receipt(),
		Moved: func(t ledger.Tables, m ledger.Move) ([]protocol.StreamMark, error) {
			return review.Moved(a.ledger, t, m)
		}, Erased: erasure.Follow})
	// Before anybody is served: a database that came from elsewhere forgets again.
	if a.erasedList, err = erasure.OpenList(filepath.Join(cfg.data, "keys"), keys.Erased(), rand.Reader); err != nil {
		return nil, err
	}
	applied, err := erasure.Apply(ctx, a.store, a.ledger, a.erasedList)
	if err != nil {
		return nil, err
	}
	if len(applied.Erased)+applied.Listed > 0 {
		cfg.log.Warn("list of erasures and database now agree", "erased", len(applied.Erased), "listed", applied.Listed)
	}
	metrics := prometheus.NewRegistry()
	if a.replication, err = replication.NewServer(replication.Config{Store: a.store, Ledger: a.ledger, Auth: a.auth, Bus: a.bus,
		Reinstate: func(tx *sqlite.Tx, records []conflict.RecordID) ([]protocol.StreamMark, error) {
			return a.review.Reinstate(tx, records) // made below, before the first session
		}, Origins: cfg.origins, PerAccount: cfg.perAccount, Now: nowMillis, Log: cfg.log, Registerer: metrics}); err != nil {
		return nil, err
	}
	if a.review, err = review.New(ctx, review.Config{Store: a.store, Ledger: a.ledger, Definition: a.definition, IsUnit: directory.IsUnit,
		Notify: a.bus.Grew, Settled: a.replication.Tell}); err != nil {
		return nil, err
	}
	a.hub = hub.New(hub.Config{Store: a.store, Definitions: a.definitions, Key: cursorKey(keys), Announce: a.bus.Announce,
		List: func() (string, []register.Unit) { l := directory.List(); return l.Version, l.Units() }})
	a.units = units.New(units.Config{Store: a.store, Ledger: a.ledger, Accounts: a.auth.Accounts, Directory: directory, Notify: a.bus.Grew})
	a.rescue = rescue.New(rescue.Config{Store: a.store, Auth: a.auth, Ledger: a.ledger, Grew: a.bus.Grew, Now: nowMillis})
	a.erasure = erasure.New(erasure.Config{Store: a.store, Ledger: a.ledger, List: a.erasedList, StepUp: a.auth.StepUp, Erased: a.replication.TellErased, Log: cfg.log})
	if a.handler, err = a.routes(metrics); err != nil {
		return nil, err
	}
	upkeep, stop := context.WithCancel(context.Background())
	a.stopUpkeep, a.upkeep = stop, make(chan struct{})
	go func() {
		defer close(a.upkeep)
		retired := make(chan struct{})
		go func() { defer close(retired); a.retire(upkeep) }()
		erased := make(chan struct{})
		go func() { defer close(erased); a.erasure.Run(upkeep) }()
		a.auth.Run(upkeep)
		<-retired
		<-erased
	}()
	return a, nil
}

// mayWrite asks the one authoriser. Whoever may open a sync session is an
// officer or a supervisor; for rows and fields both have the same rights.
func mayWrite(a ledger.Author, unit string, class protocol.Class) bool {
	p := auth.Principal{Role: store.RoleOfficer, Unit: a.Unit, Waiting: strings.Join(a.Waiting, " "), Sensitive: a.Sensitive}
	of := auth.Basic
	if class == protocol.Sensitive {
		of = auth.Sensitive
	}
	return auth.Can(p, auth.WriteRecord, unit, of) == nil
}

// cursorKey is what the hub's cursors are sealed with: as lasting as the
// signing key, and of no use in its place.
func cursorKey(keys *auth.Keys) []byte {
	sum := sha256.Sum256(append([]byte("wardbook hub cursor\n"), keys.Receipt().Seed()...))
	return sum[:]
}

func nowMillis() int64 { return time.Now().UnixMilli() }

func (a *app) definition(id string) (*register.Definition, bool) {
	for _, d := range a.definitions {
		if string(d.ID) == id {
			return d, true
		}
	}
	return nil, false
}

func (a *app) registers() []string {
	ids := make([]string, len(a.definitions))
	for i, d := range a.definitions {
		ids[i] = string(d.ID)
	}
	return ids
}

// routes wires every path. The API's document is made from the same table.
func (a *app) routes(metrics *prometheus.Registry) (http.Handler, error) {
	server, err := rpc.NewServer(rpc.Config{Gate: a.auth, Log: a.cfg.log, Registerer: metrics})
	if err != nil {
		return nil, err
	}
	table := a.apiRoutes()
	mux := http.NewServeMux()
	server.Mount(mux, table, "/api/", "/hub/")
	a.openapi = rpc.OpenAPI(table, rpc.About{Title: "Wardbook", Version: Version})
	mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(a.openapi)
	})
	mux.HandleFunc("GET /sync/v1/socket", a.replication.Browser)
	mux.HandleFunc("GET /sync/v1/device", a.replication.Device)
	mux.HandleFunc("POST /sync/v1/exchange", a.replication.Exchange)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", loopbackOnly(promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})))
	mux.Handle("/", static(web.Dist()))
	return rpc.Patient(rpc.Secure(mux)), nil
}

// ready says whether a write could be taken now.
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := a.store.Update(ctx, func(*sqlite.Tx) error { return nil }); err != nil {
		a.cfg.log.Error("readiness", "error", err)
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// loopbackOnly hides what is for the operator's own machine: requests from
// elsewhere, or through a proxy, find nothing.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		ip := net.ParseIP(host)
		if err != nil || ip == nil || !ip.IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// close ends sessions, then waits for queued writes, then closes the database.
func (a *app) close(ctx context.Context) error {
	err := a.replication.Close(ctx)
	a.stopUpkeep()
	<-a.upkeep
	return errors.Join(err, a.store.Close(), a.erasedList.Close(), a.hold.Close())
}

// demoFile keeps the passwords that a demonstration's accounts were given.
const demoFile = "demo-accounts.json"

type demoAccount struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

func readDemoAccounts(data string) ([]demoAccount, error) {
	b, err := os.ReadFile(filepath.Join(data, demoFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []demoAccount
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", demoFile, err)
	}
	return list, nil
}
