package templates

import (
	"fmt"
	"testing"
)

func TestX(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		fmt.Println(d.ID, len(d.Fields), len(d.Marshal()))
	}
}
