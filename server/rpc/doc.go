// Package rpc is the thin glue between plain Go services and HTTP: one generic
// adapter on go-kit, one strict decoder, one mapping of errors, one table of
// routes.
//
// A service is a function from a request struct to a response struct. Handle
// makes it an http.Handler: it decodes path, query and a JSON body into the
// request, refusing whatever the struct does not name, and encodes the response
// or the error. New adds the place: method, path, who may call. A Server mounts
// the routes and gives each of them request ids, headers, authentication,
// limits, metrics, logs and recovery from panics. OpenAPI writes the document of
// the same table with schemas reflected from the same types, so the document
// cannot differ from what is served.
//
// The package knows nothing of accounts: who a caller is, and may be, is a Gate's
// to say. It never logs a body, a query, a header or a path's values.
package rpc
