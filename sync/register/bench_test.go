package register_test

import (
	"testing"

	"wardbook/sync/register"
)

func BenchmarkValidate(b *testing.B) {
	d := defs(b)["residents"]
	for b.Loop() {
		register.Validate(d, complete["residents"], env)
	}
}

func BenchmarkSearchText(b *testing.B) {
	d := defs(b)["residents"]
	for b.Loop() {
		register.SearchText(d, complete["residents"])
	}
}

func BenchmarkParseDefinition(b *testing.B) {
	text := defs(b)["residents"].Marshal()
	for b.Loop() {
		if _, err := register.ParseDefinition(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSuggestUnits(b *testing.B) {
	for b.Loop() {
		register.SuggestUnits("606/39 đường 3 Tháng 2, P.12, Q.10, TP.HCM")
	}
}
