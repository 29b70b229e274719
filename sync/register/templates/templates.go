// Package templates holds the six registers that the campaign begins with, as
// YAML that people write and review. It is the only place that reads YAML:
// devices receive definitions as the compact JSON of package register.
//
// The files are a proposal made from public sources, not an official schema.
// Once released, a version of a register is never edited: a change is a new
// version that register.Definition.CheckSuccessor accepts.
package templates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"

	"wardbook/sync/register"
)

//go:embed *.yaml
var files embed.FS

// names lists the templates in the order in which people are offered them.
var names = []string{"residents", "civil_status", "land_parcels", "household_business", "social_protection", "addresses"}

// All returns the six definitions. Each call parses them anew, so the caller
// owns what it gets.
func All() ([]*register.Definition, error) {
	var all []*register.Definition
	for _, name := range names {
		file := name + ".yaml"
		text, err := files.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read template: %w", err)
		}
		d, err := Parse(file, text)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Parse reads one definition. Keys that the definition does not have are
// refused. Errors name the file and, as far as they concern one, the field.
func Parse(file string, text []byte) (*register.Definition, error) {
	if len(text) > register.MaxDefinitionBytes {
		return nil, fmt.Errorf("%s: %d bytes, limit %d", file, len(text), register.MaxDefinitionBytes)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var d register.Definition
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("%s: %w", file, located(text, err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document", file)
	}
	parsed, err := register.New(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if want := strings.TrimSuffix(file, ".yaml"); string(parsed.ID) != want {
		return nil, fmt.Errorf("%s: id is %q, want %q", file, parsed.ID, want)
	}
	return parsed, nil
}

// located names the register field in which a YAML error lies: the last
// "name:" at or above its line.
func located(text []byte, err error) error {
	var line int
	if _, scan := fmt.Sscanf(lineOf(err), "line %d", &line); scan != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i := min(line, len(lines)) - 1; i >= 0; i-- {
		key, value, _ := strings.Cut(strings.TrimLeft(lines[i], " -"), ":")
		switch {
		case key == "name":
			return fmt.Errorf("field %s: %w", strings.TrimSpace(value), err)
		case key == "id" && i < len(lines)-1 && strings.HasPrefix(strings.TrimSpace(lines[i+1]), "name:") && i+2 > line:
			return fmt.Errorf("field %s: %w", strings.TrimSpace(lines[i+1][strings.Index(lines[i+1], ":")+1:]), err)
		case !strings.HasPrefix(lines[i], " ") && strings.HasSuffix(lines[i], ":"):
			return err // a section of the file that is not inside a field
		}
	}
	return err
}

// lineOf returns the first "line N" of a YAML error.
func lineOf(err error) string {
	s := err.Error()
	if i := strings.Index(s, "line "); i >= 0 {
		return s[i:]
	}
	return ""
}
