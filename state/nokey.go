package state

import (
	"errors"
	"math"
)

// noKey is current in place of a namespace while there is no current key. No state lies in it.
var noKey = Namespace{math.MinInt64, math.MinInt64}

var errNoKey = errors.New("state: keyed state was used for a record that has no key; for a broadcast record reach it through ApplyToKeyedState")

// DropKey leaves no key current, until SetKey and SetNamespace set both again: for records that belong to no key.
// Until then handles behave as if they were empty, and a write to them is an error (Err).
func (k *Keyed[K]) DropKey() {
	var none K
	k.b.setKey(none)
	k.b.setNamespace(noKey)
}
