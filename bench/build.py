"""Builds the peers: kith and raw MsQuic with CMake, the others with go and cargo into the cache that
interop/build.sh uses too, named by a hash of their sources."""
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from rows import PEERS


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


class BuildFailed(Exception):
    pass


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.stderr.write(done.stdout[-4000:])
        raise BuildFailed(f"failed: {' '.join(map(str, command[:4]))} ...")
    return done.stdout


def prefix(root, *arguments):
    done = subprocess.run([root / "third_party/build.sh", *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BuildFailed("third_party/build.sh failed")
    return done.stdout.strip()


def build_cmake(root, targets, folder):
    folder = pathlib.Path(folder) if folder else root / "build/release"
    options = ["-DKITH_BUILD_BENCH=ON", f"-DKITH_DEPS={prefix(root)}"]
    if "bench_raw_stock" in targets:
        options.append(f"-DKITH_BENCH_STOCK={prefix(root, '--stock')}")
    run(["cmake", "--preset", "release", "-S", root, "-B", folder, *options], cwd=root)
    if targets:
        say("building " + ", ".join(targets))
        run(["cmake", "--build", folder, "--target", *targets])
    return {target: str(folder / "bench" / target) for target in targets}


def build_link(root, folder):
    """The path of kith-link."""
    folder = pathlib.Path(folder) if folder else root / "build/release"
    run(["cmake", "--build", folder, "--target", "kith_link"])
    return str(folder / "tools/link_emulator/kith-link")


def cache():
    base = os.environ.get("KITH_CACHE")
    if not base:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kith")
    return pathlib.Path(base) / "peers"


def build_cached(language, sources, compile_into):
    """The folder with the peer in `language`."""
    if not shutil.which({"go": "go", "rust": "cargo"}[language]):
        raise BuildFailed("no toolchain")
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.read_bytes())
    out = cache() / f"bench-{language}-{digest.hexdigest()[:16]}"
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / f"bench-{language}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            say(f"building the {language} peer")
            work = pathlib.Path(tempfile.mkdtemp(prefix="build.", dir=cache()))
            try:
                compile_into(work)
                work.rename(out)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return out


def build_go(root):
    folder = root / "bench/go"
    out = build_cached("go", [*folder.glob("*.go"), folder / "go.mod", folder / "go.sum"], lambda work: run(
        ["go", "build", "-C", folder, "-mod=readonly", "-trimpath", "-o", work / "peer", "."]))
    return {"go": str(out / "peer")}


def build_rust(root):
    folder = root / "bench/rust"

    def compile_into(work):
        target = cache() / "rust-target"  # dependencies are shared with interop's peer
        run(["cargo", "build", "--release", "--locked", "--manifest-path", folder / "Cargo.toml"],
            env={**os.environ, "CARGO_TARGET_DIR": str(target)})
        for program in ("peer", "codec"):
            shutil.copy2(target / f"release/kith-bench-{program}", work / program)

    out = build_cached("rust", [*folder.glob("src/*.rs"), folder / "Cargo.toml", folder / "Cargo.lock"], compile_into)
    return {"rust": str(out / "peer"), "rust-codec": str(out / "codec")}


def find_iperf3(root):
    if not shutil.which("iperf3"):
        raise BuildFailed("it is not installed")
    return {"iperf3": str(root / "bench/iperf3_peer.py")}


def build(root, peers, rows, folder):
    """{program: path} of what `peers` need for `rows`, without the foreign ones that cannot be built."""
    kinds = {"codec" if row.scenario == "codec" else "program" for row in rows}
    wanted = {PEERS[peer][kind] for peer in peers for kind in kinds if kind in PEERS[peer]}
    programs = build_cmake(root, sorted(w for w in wanted if w.startswith("bench_")), folder)
    for name, builder in (("go", build_go), ("rust", build_rust), ("iperf3", find_iperf3)):
        if not any(w.split("-")[0] == name for w in wanted):
            continue
        try:
            programs.update(builder(root))
        except BuildFailed as failure:
            say(f"without {name}: {failure}")
    return programs


def commit(root):
    done = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL)
    return done.stdout.strip() or "unknown"


def cpu_model():
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else os.uname().machine


def versions(root):
    """Of the implementations, from their lock files."""
    def find(pattern, path):
        found = re.search(pattern, (root / path).read_text())
        return found.group(1) if found else "?"
    return {
        "msquic": find(r'name = "seera-msquic"\nversion = "([^"]*)"', "third_party/Cargo.lock"),
        "openssl": find(r'name = "openssl-src"\nversion = "[^"+]*\+?([^"]*)"', "third_party/Cargo.lock"),
        "go": find(r"go-libp2p v(\S+)", "bench/go/go.mod"),
        "quic-go": find(r"quic-go/quic-go v(\S+)", "bench/go/go.mod"),
        "rust": find(r'name = "libp2p"\nversion = "([^"]*)"', "bench/rust/Cargo.lock"),
        "quinn": find(r'name = "quinn"\nversion = "([^"]*)"', "bench/rust/Cargo.lock"),
    }
