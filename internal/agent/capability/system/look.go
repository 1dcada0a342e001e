package system

import (
	"context"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"

	"signalbox/internal/channel"
)

// Bounds of what is listed, so that it fits into one message.
const (
	maxListed    = 64
	maxAddresses = 16
	maxText      = 255
)

// look finds out what this system is. What it does not tell is left empty.
func look(ctx context.Context, version string) channel.SystemInfo {
	i := channel.SystemInfo{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Agent: version, Load: []float64{},
		Disks: disks(ctx), Interfaces: interfaces(), Users: users(ctx),
	}
	i.Hostname, _ = os.Hostname()
	i.Platform, _, i.Version, _ = host.PlatformInformationWithContext(ctx)
	i.Kernel, _ = host.KernelVersionWithContext(ctx)
	if n, err := cpu.CountsWithContext(ctx, true); err == nil && n > 0 {
		i.CPUs = n
	}
	if all, err := cpu.InfoWithContext(ctx); err == nil && len(all) > 0 {
		i.CPUModel = short(all[0].ModelName)
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		i.MemoryTotal, i.MemoryFree = int64(m.Total), int64(m.Available)
	}
	if boot, err := host.BootTimeWithContext(ctx); err == nil {
		i.Boot = time.Unix(int64(boot), 0).UTC()
		i.Uptime = int64(time.Since(i.Boot).Seconds())
	}
	if l, err := load.AvgWithContext(ctx); err == nil && runtime.GOOS != "windows" {
		i.Load = []float64{l.Load1, l.Load5, l.Load15}
	}
	return i
}

// disks lists the file systems on disks.
func disks(ctx context.Context) []channel.SystemDisk {
	all := []channel.SystemDisk{}
	partitions, _ := disk.PartitionsWithContext(ctx, false) // what it found until an error is good
	for _, p := range partitions {
		u, err := disk.UsageWithContext(ctx, p.Mountpoint)
		known := func(d channel.SystemDisk) bool { return d.Path == p.Mountpoint }
		if err == nil && u.Total > 0 && len(all) < maxListed && !slices.ContainsFunc(all, known) {
			all = append(all, channel.SystemDisk{Path: short(p.Mountpoint), Total: int64(u.Total), Free: int64(u.Free)})
		}
	}
	return all
}

// interfaces lists the network cards.
func interfaces() []channel.NetworkInterface {
	all := []channel.NetworkInterface{}
	found, _ := net.Interfaces()
	for _, f := range found[:min(len(found), maxListed)] {
		n := channel.NetworkInterface{Name: short(f.Name), MAC: f.HardwareAddr.String(), Addresses: []string{}}
		addresses, _ := f.Addrs()
		for _, a := range addresses[:min(len(addresses), maxAddresses)] {
			n.Addresses = append(n.Addresses, a.String())
		}
		all = append(all, n)
	}
	return all
}

// users lists who is logged in.
func users(ctx context.Context) []string {
	all := []string{}
	found, _ := host.UsersWithContext(ctx)
	for _, u := range found {
		if name := short(u.User); len(all) < maxListed && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// short makes a text valid and short.
func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxText)], "") }
