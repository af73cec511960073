#!/usr/bin/env bash
# The steps of integrations/docker/Dockerfile without Docker, on Linux, as root:
#
#     tools/container_steps.sh deepmatte-0.1.0-py3-none-any.whl
#
# In a root of its own, with this machine's system files and Python but nothing else, it installs the
# wheel as the image does. Then it serves as an ordinary user on a file system that cannot be
# written, asks for a matte and for the image's health check, and stops the server by SIGTERM.
set -euo pipefail
wheel=$(realpath "$1")
here=$(cd "$(dirname "$0")/.." && pwd)
docker=$here/integrations/docker/Dockerfile
samples=$here/src/deepmatte/samples
python=$(python3 -c 'import sys; print(sys.base_prefix)')
root=$(mktemp -d)
chmod 755 "$root"
export wheel docker samples python root
exec unshare --mount bash -euo pipefail -s <<'INSIDE'
mount --make-rprivate /
mkdir -p "$root"/{proc,dev,tmp,opt,wheels,samples} "$root$python"
for path in /usr /lib /lib64 /bin /etc "$python"; do
    mkdir -p "$root$path"
    mount --bind "$path" "$root$path"
    mount -o remount,bind,ro "$root$path"
done
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
cp "$wheel" "$root/wheels"
cp "$samples"/fur.* "$root/samples"
in_root() { env -i PATH="$python/bin:/usr/bin:/bin" HOME=/tmp /usr/sbin/chroot "$@"; }
in_root "$root" python3 -m venv /opt/deepmatte
in_root "$root" sh -c '/opt/deepmatte/bin/pip install -q --no-cache-dir "$(echo /wheels/deepmatte-*.whl)[serve]"'
# From here on as the image's user; nothing but /tmp can be written.
mount --rbind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs tmpfs "$root/tmp"
user=$(sed -n 's/^USER //p' "$docker")
health=$(sed -n 's/^ *CMD \["python", "-c", "\(.*\)"\]$/\1/p' "$docker")
run() {
    in_root --userspec="$user:$user" --groups= "$root" env PATH=/opt/deepmatte/bin:/usr/bin:/bin \
        PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 DEEPMATTE_API_KEY=change-me "$@"
}
run sh -c 'id; touch /opt/x 2>&1 || true'
run deepmatte serve --host 0.0.0.0 &
server=$!
for _ in $(seq 120); do
    sleep 1
    run python -c "$health" 2>/dev/null && break
done
run python -c "$health"
echo "healthy"
curl -sf -H 'X-Api-Key: change-me' -F image=@"$samples/fur.jpg" -F trimap=@"$samples/fur.trimap.png" \
    http://127.0.0.1:8765/matte -o "$root/tmp/cutout.png"
file "$root/tmp/cutout.png" | sed 's/.*: //'
kill -TERM "$(pgrep -P "$server" -f 'deepmatte serve' || echo "$server")"
wait "$server" && echo "stopped with 0"
INSIDE
