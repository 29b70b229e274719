package review

import "wardbook/server/rpc"

func fieldAt(err error) string { return rpc.Public(err).Field }

func besideOf(err error) map[string]any { return rpc.Public(err).Beside }
