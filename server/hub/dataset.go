package hub

import (
	"fmt"

	"wardbook/sync/register"
)

// dataset is one version of a register as the hub may see it.
type dataset struct {
	*register.Definition
	// public is the definition without its sensitive fields: for Export and
	// JSONSchema, which read its fields in order, and for nothing else. What is
	// not in it cannot leave.
	public register.Definition
}

func newDataset(def *register.Definition) *dataset {
	d := &dataset{def, *def}
	d.public.Fields = nil
	for _, f := range def.Fields {
		if f.Class == register.Basic {
			d.public.Fields = append(d.public.Fields, f)
		}
	}
	return d
}

// path is where the hub finds the dataset.
func (d *dataset) path() string { return "/hub/v1/datasets/" + string(d.ID) }

func (d *dataset) schemaPath() string {
	return fmt.Sprintf("%s/schema?version=%d", d.path(), d.Version)
}

// newest returns the newest version of a dataset.
func (f *Feed) newest(id string) (*dataset, error) {
	var found *dataset
	for _, d := range f.datasets {
		if string(d.ID) == id && (found == nil || d.Version > found.Version) {
			found = d
		}
	}
	if found == nil {
		return nil, ErrDataset
	}
	return found, nil
}

// version returns the named version of a dataset.
func (f *Feed) version(id string, version uint32) (*dataset, error) {
	for _, d := range f.datasets {
		if string(d.ID) == id && d.Version == version {
			return d, nil
		}
	}
	return nil, ErrVersion
}

// catalogue lists the newest version of each dataset, in the order in which the
// registers are offered.
func (f *Feed) catalogue() []*dataset {
	var list []*dataset
	for _, d := range f.datasets {
		if n, err := f.newest(string(d.ID)); err == nil && n == d {
			list = append(list, d)
		}
	}
	return list
}
