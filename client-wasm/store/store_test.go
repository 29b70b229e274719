package store

import (
	"testing"

	"wardbook/client-wasm/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Place { return &memoryPlace{NewMemory()} })
}

// memoryPlace keeps what the last store held.
type memoryPlace struct{ m *Memory }

func (p *memoryPlace) Open(*testing.T) storetest.Store     { return p.m.Clone() }
func (p *memoryPlace) Let(_ *testing.T, s storetest.Store) { p.m = s.(*Memory).Clone() }
