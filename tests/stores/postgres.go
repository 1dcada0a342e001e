package stores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"signalbox/tests/beside"
)

const (
	binaries       = "/usr/lib/postgresql/15/bin" // where Debian has them
	packageName    = "postgresql-15"
	superuser      = "postgres" // of the machine and of the database
	connections    = 128        // of the pool
	maxConnections = "150"      // that PostgreSQL takes: some are left for others
)

// Installed reports whether PostgreSQL's programs are here.
func Installed() bool {
	_, err := os.Stat(filepath.Join(binaries, "initdb"))
	return err == nil
}

// postgres is a PostgreSQL server with a fresh cluster, reached by its unix socket alone, and a pool of connections to it.
type postgres struct {
	*beside.Process
	pool    *pgxpool.Pool
	payload []byte
}

func startPostgres(ctx context.Context, dir string, endpoints int) (side, error) {
	as, err := credential()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := initialise(ctx, dir, data, as); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "postgres"), "-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories="+dir,
		"-c", "max_connections="+maxConnections)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	p := &postgres{payload: payload()}
	if p.Process, err = beside.Start(cmd, dir); err != nil {
		return nil, err
	}
	if err := p.connect(ctx, dir); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	if err := p.createSchema(ctx, endpoints); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// credential is that of the user that PostgreSQL runs as: it refuses root. Without root it runs as who we are.
func credential() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(superuser)
	if err != nil {
		return nil, err
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
}

// initialise makes a cluster with Debian's defaults, but for the locale: C compares texts the quickest.
func initialise(ctx context.Context, dir, data string, as *syscall.Credential) error {
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "initdb"), "-D", data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// connect waits until the server answers, and opens the pool.
func (p *postgres) connect(ctx context.Context, dir string) error {
	address := "host=" + dir + " user=" + superuser + " dbname=postgres sslmode=disable"
	err := p.AwaitReady(ctx, func() bool {
		c, err := pgx.Connect(ctx, address)
		if err != nil {
			return false
		}
		return c.Close(ctx) == nil
	})
	if err != nil {
		return err
	}
	p.pool, err = pgxpool.New(ctx, fmt.Sprintf("%s pool_max_conns=%d", address, connections))
	if err != nil {
		return err
	}
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes", "autovacuum"} {
		var value string
		if err := p.pool.QueryRow(ctx, "SHOW "+setting).Scan(&value); err != nil {
			return err
		}
		if value != "on" {
			return fmt.Errorf("PostgreSQL has %s = %s: that is not what is to be measured", setting, value)
		}
	}
	return nil
}

// server is the CPU time of the server's processes.
func (p *postgres) server() (time.Duration, error) { return beside.TreeCPU(p.Cmd.Process.Pid) }

// stop ends the server, which by SIGTERM waits for its connections to be closed.
func (p *postgres) stop() error {
	if p.pool != nil {
		p.pool.Close()
	}
	p.Stop()
	return nil
}
