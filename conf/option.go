package conf

import (
	"errors"
	"fmt"
	"slices"
)

// Option is one typed configuration key. Options are made by the constructors of this package (StringOption, SizeOption, …),
// as package variables, and are read with Get or Lookup.
type Option[T any] struct {
	// Key is the name in configuration files, Flink's where Flink has one.
	Key string
	// Default is what Get returns when neither Key nor a fallback is set.
	Default T
	// Doc says what the value means, in one or two sentences.
	Doc string
	// Fallbacks are older names of the key, looked up in this order when Key is not set.
	Fallbacks []string

	kind kind[T]
	reg  *entry
}

// kind is how values of a type are read, written and described.
type kind[T any] struct {
	name   string // for the reference page: Duration, MemorySize, …
	form   string // what is accepted, with an example, for error messages
	parse  func(string) (T, error)
	format func(T) string
}

// ValueError is a value that its option cannot read.
type ValueError struct {
	// Key is the key that holds the value: the option's, or the fallback it was found under.
	Key string
	// Value is the offending value, "******" for a secret key.
	Value string
	// Form says what is accepted.
	Form string
	// Err is the parser's reason; nil when the form says it all.
	Err error
}

// Error names key, value and accepted form.
func (e *ValueError) Error() string {
	msg := fmt.Sprintf("configuration key %q: %q is not %s", e.Key, e.Value, e.Form)
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap returns the parser's reason.
func (e *ValueError) Unwrap() error { return e.Err }

// Get returns the configured value, or the default when the option is absent or malformed. It never panics.
func (o Option[T]) Get(c *Config) T {
	v, ok, err := o.Lookup(c)
	if !ok || err != nil {
		return o.Default
	}
	return v
}

// Lookup returns the configured value and whether the option is set at all (under its key or an older name). The error is
// a *ValueError.
func (o Option[T]) Lookup(c *Config) (T, bool, error) {
	key, raw, ok := o.find(c)
	if !ok {
		var zero T
		return zero, false, nil
	}
	v, err := o.kind.parse(raw)
	if err != nil {
		var zero T
		return zero, true, o.valueError(key, raw, err)
	}
	return v, true, nil
}

// Set stores v under the option's key, in the form the option reads.
func (o Option[T]) Set(c *Config, v T) { c.Set(o.Key, o.kind.format(v)) }

// IsSet tells whether the option or one of its older names is set, to whatever value.
func (o Option[T]) IsSet(c *Config) bool {
	_, _, ok := o.find(c)
	return ok
}

// Parse reads a value of this option, for command lines that name it without its key.
func (o Option[T]) Parse(raw string) (T, error) {
	v, err := o.kind.parse(raw)
	if err != nil {
		var zero T
		return zero, o.valueError(o.Key, raw, err)
	}
	return v, nil
}

func (o Option[T]) valueError(key, raw string, err error) error {
	if errors.Is(err, errForm) {
		err = nil
	}
	return &ValueError{Key: key, Value: Redact(key, raw), Form: o.kind.form, Err: err}
}

// find returns the first of key and fallbacks that is set. A map option is also set by keys below its own.
func (o Option[T]) find(c *Config) (key, raw string, ok bool) {
	if raw, ok = c.Lookup(o.Key); ok {
		return o.Key, raw, true
	}
	for _, f := range o.Fallbacks {
		if raw, ok = c.Lookup(f); ok {
			return f, raw, true
		}
	}
	if o.kind.name == mapKindName {
		return c.below(o.Key)
	}
	return "", "", false
}

// Optional marks the option as one without a default: absence means something of its own. The reference page shows (none).
func (o Option[T]) Optional() Option[T] {
	o.reg.defaultText = noneText
	return o
}

// Where restricts the option to values that ok accepts; form replaces the accepted form in messages.
func (o Option[T]) Where(form string, ok func(T) bool) Option[T] {
	parse := o.kind.parse
	o.kind.form = form
	o.kind.parse = func(s string) (T, error) {
		v, err := parse(s)
		if err == nil && !ok(v) {
			err = errForm
		}
		return v, err
	}
	o.reg.check = o.check
	return o
}

// check reports a malformed value of this option in c.
func (o Option[T]) check(c *Config) error {
	_, _, err := o.Lookup(c)
	return err
}

// newOption makes and registers an option.
func newOption[T any](k kind[T], key string, def T, doc string, fallbacks []string) Option[T] {
	o := Option[T]{Key: key, Default: def, Doc: doc, Fallbacks: fallbacks, kind: k}
	o.reg = register(&entry{key: key, kind: k.name, doc: doc, fallbacks: fallbacks, defaultText: k.format(def)})
	o.reg.check = o.check
	return o
}

// Validate reports every malformed value of a registered option at once, in key order; nil when all can be read.
func Validate(c *Config) error {
	var errs []error
	for _, e := range sortedEntries() {
		if e.check == nil {
			continue
		}
		if err := e.check(c); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// StringOption makes a text option.
func StringOption(key, def, doc string, fallbacks ...string) Option[string] {
	return newOption(stringKind, key, def, doc, fallbacks)
}

// IntOption makes a whole-number option.
func IntOption(key string, def int, doc string, fallbacks ...string) Option[int] {
	return newOption(intKind, key, def, doc, fallbacks)
}

// CountOption makes a whole-number option that is at least 0 and may be "infinite" (Infinite).
func CountOption(key string, def int, doc string, fallbacks ...string) Option[int] {
	return newOption(countKind, key, def, doc, fallbacks)
}

// PositiveOption makes a whole-number option that is at least 1.
func PositiveOption(key string, def int, doc string, fallbacks ...string) Option[int] {
	return IntOption(key, def, doc, fallbacks...).Where("a whole number of at least 1", func(v int) bool { return v >= 1 })
}

// FloatOption makes a decimal-number option.
func FloatOption(key string, def float64, doc string, fallbacks ...string) Option[float64] {
	return newOption(floatKind, key, def, doc, fallbacks)
}

// FractionOption makes a decimal-number option between 0 and 1.
func FractionOption(key string, def float64, doc string, fallbacks ...string) Option[float64] {
	return FloatOption(key, def, doc, fallbacks...).Where("a fraction between 0 and 1, for example 0.4",
		func(v float64) bool { return v >= 0 && v <= 1 })
}

// BoolOption makes a switch.
func BoolOption(key string, def bool, doc string, fallbacks ...string) Option[bool] {
	return newOption(boolKind, key, def, doc, fallbacks)
}

// ListOption makes a list of texts.
func ListOption(key string, def []string, doc string, fallbacks ...string) Option[[]string] {
	return newOption(listKind, key, def, doc, fallbacks)
}

// MapOption makes a map of texts. Besides key: k1:v1,k2:v2 it reads the nested form key.k1: v1.
func MapOption(key string, def map[string]string, doc string, fallbacks ...string) Option[map[string]string] {
	return newOption(mapKind, key, def, doc, fallbacks)
}

// EnumOption makes an option with a fixed set of values, compared without regard to case, "-" and "_" alike. aliases maps
// further spellings, in lower case, to values.
func EnumOption[T ~string](key string, def T, values []T, aliases map[string]T, doc string, fallbacks ...string) Option[T] {
	o := newOption(enumKind(values, aliases), key, def, doc, slices.Clip(fallbacks))
	if def == "" {
		return o.Optional()
	}
	return o
}
