// Package register holds what both ends know of a register: its definition,
// the types of its fields, their normal and shown forms, what is valid, and
// the keys under which text is searched and compared.
//
// A Definition is data: it is written as YAML (package templates), shipped to
// devices as compact JSON (Definition.Marshal, ParseDefinition), and never
// changes within a version. Everything here works from it:
//
//   - Normalise turns what a person typed into the one stored text of a value;
//     Display turns it back. Both spellings of one text (NFC and NFD) give the
//     same value, so typing it again writes nothing.
//   - Validate lists what is wrong with a record as Findings. A finding never
//     stops a save: level E stops submitting, W asks for a reason, I informs.
//   - K0 to K3 are comparison keys for Vietnamese text; SearchText and
//     SearchWords apply the coarsest of them.
//   - Units, SuggestUnits and the identifier functions know the city's units
//     and the country's numbers, dates, phones and card codes.
//   - JSONSchema and Export give the form in which the hub reads a record.
//
// Values are conflict.Value, canonical text; "" is a cleared field.
//
// The package refuses to do I/O, to read a clock (today is part of Env), to
// sort for people (the page does, by Intl.Collator), to parse YAML, and to
// reject what somebody typed: text that is not a valid value is kept as typed.
// It builds for the browser as it stands and keeps no state between calls.
package register
