// Package web holds the built app, so that the server's one binary carries it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dist returns the built app: index.html, the hashed files, and beside the
// larger of them a .br file, compressed beforehand. It is empty but for a
// placeholder when the app was not built; `make build` builds it.
func Dist() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the folder is embedded, or nothing compiles
	}
	return sub
}
