// LeftJoin pairs orders with their payments by the minute, and keeps the orders
// that nobody paid: a left outer join by CoGroup.
//
//	LeftJoin [--output PATH]
package main

import (
	"fmt"
	"time"

	"goflink/stream"
)

// Order is made at a time, in milliseconds.
type Order struct {
	ID, User string
	At       int64
}

// Payment pays an order, whole or in part.
type Payment struct {
	Order string
	Cents int64
	At    int64
}

var orders = []Order{
	{"o1", "ann", 1_000},
	{"o2", "bob", 20_000},
	{"o3", "ann", 59_000}, // paid in the next minute
	{"o4", "cat", 61_000},
}

var payments = []Payment{
	{"o1", 500, 2_000},
	{"o1", 250, 30_000},
	{"o3", 900, 60_500},
	{"o4", 100, 62_000},
	{"o9", 700, 63_000}, // of no order
}

// leftJoin emits every order with each of its payments, or once without one.
func leftJoin(_ stream.WindowInfo[string], orders []Order, payments []Payment, out *stream.Out[string]) error {
	for _, o := range orders {
		if len(payments) == 0 {
			out.Emit(fmt.Sprintf("(%s,%s,unpaid)", o.ID, o.User))
		}
		for _, p := range payments {
			out.Emit(fmt.Sprintf("(%s,%s,%d)", o.ID, o.User, p.Cents))
		}
	}
	return nil
}

func build(env *stream.Env) error {
	env.SetName("Left Join")
	p := env.Params()
	left := stream.From(env, stream.SliceSource(orders),
		stream.Monotonous[Order]().WithTimestamps(func(o Order) int64 { return o.At }), stream.Name("Orders"))
	right := stream.From(env, stream.SliceSource(payments),
		stream.Monotonous[Payment]().WithTimestamps(func(p Payment) int64 { return p.At }), stream.Name("Payments"))

	both := stream.ConnectKeyed(
		stream.KeyBy(left, func(o Order) string { return o.ID }),
		stream.KeyBy(right, func(p Payment) string { return p.Order }))
	joined := stream.CoGroup(both.Window(stream.Tumbling(time.Minute)), leftJoin, stream.UID("left-join"))

	if !p.Has("output") {
		env.Printf("Printing result to stdout. Use --output to specify output path.\n")
		joined.Print()
		return nil
	}
	joined.WriteText(p.Get("output", ""), stream.UID("file-sink"))
	return nil
}

func main() { stream.Main("LeftJoin", build) }
