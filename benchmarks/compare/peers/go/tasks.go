// tasks.go - the workloads without input and output, with Go: goroutines and channels.
//
//	tasks WORKLOAD SIZE TIMES        ../../workloads.toml says what they are
//
// SPDX-License-Identifier: MIT
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

type job struct {
	workload    string
	size, times int
}

func (j job) print(value float64) { j.printAs(j.workload, value, "ns") }

func (j job) printAs(name string, value float64, unit string) {
	fmt.Printf("{\"workload\": %q, \"size\": %d, \"value\": %.3f, \"unit\": %q}\n",
		name, j.size, value, unit)
}

func require(condition bool, what string) {
	if !condition {
		fmt.Fprintln(os.Stderr, "wrong result:", what)
		os.Exit(1)
	}
}

// CPU time of the process, with that of the garbage collector.
func cpuNs() float64 {
	const processCPU = 2 // CLOCK_PROCESS_CPUTIME_ID
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, processCPU, uintptr(unsafe.Pointer(&t)), 0)
	return float64(t.Nano())
}

func residentBytes() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	var size, resident int
	fmt.Sscan(string(text), &size, &resident)
	return float64(resident * os.Getpagesize())
}

func measureSwitch(j job) {
	var group sync.WaitGroup
	group.Add(j.size)
	start := cpuNs()
	for i := 0; i < j.size; i++ {
		go func() {
			defer group.Done()
			for k := 0; k < j.times; k++ {
				runtime.Gosched()
			}
		}()
	}
	group.Wait()
	j.print((cpuNs() - start) / (float64(j.size) * float64(j.times)))
}

func measureSpawnBatch(j job) {
	start := cpuNs()
	for i := 0; i < j.times; i++ {
		var group sync.WaitGroup
		group.Add(j.size)
		for k := 0; k < j.size; k++ {
			go group.Done()
		}
		group.Wait()
	}
	j.print((cpuNs() - start) / (float64(j.size) * float64(j.times)))
}

func measureSpawnSeq(j job) {
	start := cpuNs()
	for i := 0; i < j.times; i++ {
		done := make(chan struct{})
		go close(done)
		<-done
	}
	j.print((cpuNs() - start) / float64(j.times))
}

func measureSuspended(j job) {
	event := make(chan struct{})
	var group sync.WaitGroup
	group.Add(j.size)
	var waiting, woken atomic.Int32
	before := residentBytes()
	start := cpuNs()
	for i := 0; i < j.size; i++ {
		go func() {
			waiting.Add(1)
			<-event
			woken.Add(1)
			group.Done()
		}()
	}
	for int(waiting.Load()) < j.size {
		runtime.Gosched()
	}
	grown := residentBytes() - before
	close(event)
	group.Wait()
	j.print((cpuNs() - start) / float64(j.size))
	j.printAs("suspended_memory", grown/float64(j.size), "bytes")
	require(int(woken.Load()) == j.size, "number of goroutines woken")
}

func measurePingPong(j job) {
	here, there := make(chan struct{}), make(chan struct{})
	start := cpuNs()
	go func() {
		for i := 0; i < j.times; i++ {
			<-there
			here <- struct{}{}
		}
	}()
	for i := 0; i < j.times; i++ {
		there <- struct{}{}
		<-here
	}
	j.print((cpuNs() - start) / float64(j.times))
}

func measureQueue(j job) {
	queue := make(chan int, j.size)
	start := cpuNs()
	go func() {
		for i := 0; i < j.times; i++ {
			queue <- i
		}
	}()
	sum := 0
	for i := 0; i < j.times; i++ {
		sum += <-queue
	}
	j.print((cpuNs() - start) / float64(j.times))
	require(sum == j.times*(j.times-1)/2, "sum of the items")
}

// Go cannot cancel a goroutine; one that looks at a context of its own can be told.
func measureCancel(j job) {
	cancels := make([]context.CancelFunc, j.size)
	var group sync.WaitGroup
	var waiting atomic.Int32
	group.Add(j.size)
	for i := range cancels {
		var told context.Context
		told, cancels[i] = context.WithCancel(context.Background())
		go func() {
			waiting.Add(1)
			<-told.Done()
			group.Done()
		}()
	}
	for int(waiting.Load()) < j.size {
		runtime.Gosched()
	}
	start := cpuNs()
	for _, cancel := range cancels {
		cancel()
	}
	group.Wait()
	j.print((cpuNs() - start) / float64(j.size))
}

var workloads = map[string]func(job){
	"switch":      measureSwitch,
	"spawn_batch": measureSpawnBatch,
	"spawn_seq":   measureSpawnSeq,
	"suspended":   measureSuspended,
	"ping_pong":   measurePingPong,
	"queue":       measureQueue,
	"cancel":      measureCancel,
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: tasks WORKLOAD SIZE TIMES")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(1)
	size, _ := strconv.Atoi(os.Args[2])
	times, _ := strconv.Atoi(os.Args[3])
	measure := workloads[os.Args[1]]
	if measure == nil {
		os.Exit(3)
	}
	measure(job{os.Args[1], size, times})
}
