package canonical

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"strconv"
	"testing"
)

// The numbers of RFC 8785, appendix B, by their bits.
func TestNumbersOfTheStandard(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0",
		0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334", 0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333", 0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		f := math.Float64frombits(bits)
		for _, text := range []string{strconv.FormatFloat(f, 'e', -1, 64), strconv.FormatFloat(f, 'f', -1, 64), strconv.FormatFloat(f, 'e', 25, 64)} {
			got, err := JSON([]byte(text))
			if err != nil || string(got) != want {
				t.Errorf("%016x as %s: got %s, %v, want %s", bits, text, got, err, want)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"sample of RFC 8785, 3.2.2": {
			`{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
			"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }`,
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		"order of RFC 8785, 3.2.3": {
			`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		"nothing is escaped for HTML":        {`"\u003cb\u003e & \u2028"`, "\"<b> & \u2028\""},
		"Vietnamese":                         {`{"tên":"Đặng Thị Ánh","ho":null}`, `{"ho":null,"tên":"Đặng Thị Ánh"}`},
		"objects within objects are ordered": {`[{"b":{"d":1,"c":[]},"a":{}}]`, `[{"a":{},"b":{"c":[],"d":1}}]`},
		"control characters":                 {`"\b\f\n\r\t\u0000\u001f\u007f"`, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\u007f\""},
	} {
		got, err := JSON([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", name, got, err, c.want)
		}
	}
}

func TestJSONRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing": "", "a repeated key": `{"a":1,"\u0061":2}`, "two values": `1 2`, "no end": `{"a":[1`, "no double": `1e999`,
		"a stray comma": `[1,]`, "an open string": `"a`, "a wrong bracket": `{"a":1]`,
	} {
		if got, err := JSON([]byte(in)); err == nil {
			t.Errorf("%s: got %s, want an error", name, got)
		}
	}
}

func TestHashes(t *testing.T) {
	a, err := ContentHash([]byte(`{"b": 1.0, "a": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := sum(t, `{"a":"x","b":1}`); a != want {
		t.Errorf("got %s, want %s", a, want)
	}
	if got, want := CountHash([]string{"b 2", "a 1"}), sum(t, "a 1\nb 2\n"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// sum asks another program for the SHA-256 of text.
func sum(t *testing.T, text string) string {
	t.Helper()
	cmd := exec.Command("sha256sum")
	cmd.Stdin = bytes.NewReader([]byte(text))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sha256sum: %v", err)
	}
	return string(out[:64])
}

// Canonical text is JSON for the same value, and its own canonical form.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"b":[1,2.5e-9,"x"],"a":null}`, `"\ud83d\ude00"`, `-0.0`, `[true,{}]`, `{"":{"":""}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := JSON(text)
		if err != nil {
			return
		}
		twice, err := JSON(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("got %s, %v for the canonical form %s", twice, err, once)
		}
		if !json.Valid(once) {
			t.Errorf("got %s, want JSON", once)
		}
	})
}
