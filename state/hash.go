package state

import (
	"hash/maphash"
	"math/rand/v2"
	"reflect"
	"unsafe"
)

// hashSeed and mapSeed make the places of keys unknown to whoever chooses the keys; hashes never leave the process.
var (
	hashSeed = rand.Uint64()
	mapSeed  = maphash.MakeSeed()
)

// hasher returns the hash function of a key type, a multiplication for integers.
func hasher[K comparable]() func(K) uint64 {
	t := reflect.TypeFor[K]()
	switch k := t.Kind(); {
	case k >= reflect.Int && k <= reflect.Uintptr && t.Size() == 8:
		return func(k K) uint64 { return mix(*(*uint64)(unsafe.Pointer(&k))) }
	case k >= reflect.Int && k <= reflect.Uintptr && t.Size() == 4:
		return func(k K) uint64 { return mix(uint64(*(*uint32)(unsafe.Pointer(&k)))) }
	case k == reflect.String:
		return func(k K) uint64 { return maphash.String(mapSeed, *(*string)(unsafe.Pointer(&k))) }
	case t.Size() == 0:
		return func(K) uint64 { return 0 }
	}
	return func(k K) uint64 { return maphash.Comparable(mapSeed, k) }
}
