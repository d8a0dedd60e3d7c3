// Package compare times ways of doing one thing side by side in one benchmark, so that the ratio of their times means
// something on a machine that has other things to do. A figure of a single way, measured alone, says more of the machine
// than of the code.
//
//	func BenchmarkSignIn(b *testing.B) {
//		compare.Run(b, compare.Way{Name: "ours", Do: signIn}, compare.Way{Name: "floor", Do: bareCryptography})
//	}
//
// reports ns/op of ours, and beside it the metrics floor-ns, ns_over_floor and x_floor.
package compare
