package main

import (
	"wardbook/server/people"
	"wardbook/server/rpc"
)

// apiRoutes is the table of every request and response service.
func (a *app) apiRoutes() []rpc.Route {
	var table []rpc.Route
	table = append(table, a.auth.Routes()...)
	table = append(table, a.replication.Routes(a.definitions)...)
	table = append(table, a.review.Routes()...)
	table = append(table, people.New(a.store).Routes()...)
	table = append(table, a.units.Routes()...)
	table = append(table, a.hub.Routes()...)
	table = append(table, a.rescue.Routes()...)
	table = append(table, a.erasure.Routes()...)
	return table
}
