package register

import (
	"embed"
	"strings"
	"sync"
)

// data is what the package knows of the country; data/README.md names the
// sources. Each file is parsed when it is first needed, so that a program that
// starts pays nothing for it.
//
//go:embed data/*.csv
var data embed.FS

// rows returns the records of an embedded table without its heading. The
// tables are part of the program: one that cannot be read is a broken build.
func rows(name string) [][]string {
	text, err := data.ReadFile("data/" + name)
	if err != nil {
		panic(err)
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r", "")), "\n")
	table := make([][]string, len(lines)-1)
	for i, line := range lines[1:] {
		table[i] = columns(line)
	}
	return table
}

// columns splits a line at its commas; one between quotes belongs to the text,
// and quotes stand in it for nothing else.
func columns(line string) []string {
	var row []string
	for {
		quoted, isQuoted := strings.CutPrefix(line, `"`)
		if isQuoted {
			var cell string
			cell, line, _ = strings.Cut(quoted, `"`)
			row = append(row, cell)
			if line == "" {
				return row
			}
			line = line[1:]
			continue
		}
		cell, rest, more := strings.Cut(line, ",")
		row = append(row, cell)
		if !more {
			return row
		}
		line = rest
	}
}

// Ids of the built-in code lists, which definitions may use without carrying
// them.
const (
	EthnicGroups = "DAN_TOC"
	Countries    = "ISO3166"
)

// BuiltinCodeList returns a list that is part of the package, or nil. The list
// is shared: do not write to it.
func BuiltinCodeList(id string) *CodeList {
	switch id {
	case EthnicGroups:
		return ethnicGroups()
	case Countries:
		return countries()
	}
	return nil
}

var ethnicGroups = sync.OnceValue(func() *CodeList {
	l := &CodeList{ID: EthnicGroups, Source: "statistics list; other numberings circulate"}
	for _, row := range rows("ethnic-groups.csv") {
		c := Code{Code: row[0], VI: row[1], EN: row[1]}
		switch c.Code {
		case "55":
			c.EN = "Foreigner"
		case "99":
			c.EN = "Unknown"
		}
		l.Codes = append(l.Codes, c)
	}
	return l
})

var countries = sync.OnceValue(func() *CodeList {
	l := &CodeList{ID: Countries, Source: "ISO 3166-1 alpha-2; names from Unicode CLDR"}
	for _, row := range rows("countries.csv") {
		l.Codes = append(l.Codes, Code{Code: row[0], VI: row[1], EN: row[2]})
	}
	return l
})

// birthProvinces maps digits 1 to 3 of a personal identification number to the
// province, as of before the merger, in which the birth was registered.
var birthProvinces = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, row := range rows("birth-provinces.csv") {
		m[row[0]] = row[1]
	}
	return m
})
