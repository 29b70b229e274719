package main

import (
	"bytes"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

// contentPolicy is what the app's pages, workers and module may do. The one
// allowance beyond the app's own files is compiling WebAssembly.
const contentPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types wardbook lit-html"

// hashedName matches the paths of files whose content never changes: the build
// puts a version of the app into a folder named by its hash.
var hashedName = regexp.MustCompile(`^[0-9a-f]{12}/`)

// static serves the built app from files. Paths without a file extension are
// the app's own views and get index.html.
func static(files fs.FS) http.Handler {
	began := time.Now() // embedded files have no time of their own
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if path.Ext(name) == "" {
			name = "index.html"
		}
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Add("Vary", "Accept-Encoding")
		body, err := fs.ReadFile(files, name)
		if err != nil {
			h.Set("Cache-Control", "no-store")
			if name == "index.html" {
				http.Error(w, "the app is not built into this binary: run make build", http.StatusNotFound)
				return
			}
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		if hashedName.MatchString(name) {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		kind := mime.TypeByExtension(path.Ext(name))
		switch path.Ext(name) { // the system's table may be missing or odd
		case ".js", ".mjs":
			kind = "text/javascript; charset=utf-8"
		case ".wasm":
			kind = "application/wasm"
		case ".webmanifest":
			kind = "application/manifest+json"
		case ".woff2":
			kind = "font/woff2"
		}
		if kind != "" {
			h.Set("Content-Type", kind)
		}
		if strings.Contains(r.Header.Get("Accept-Encoding"), "br") {
			if packed, err := fs.ReadFile(files, name+".br"); err == nil {
				h.Set("Content-Encoding", "br")
				body = packed
			}
		}
		http.ServeContent(w, r, "", began, bytes.NewReader(body))
	})
}
