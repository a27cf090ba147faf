# shellcheck shell=bash
# What a machine needs: packages, Python environment, container engine, host images, artifacts.
# Everything is installed once and only where it is missing.

# shellcheck source=bin/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Python releases that the pinned ansible-core runs on.
python_releases=(3.13 3.12 3.11)

# require_machine: refuse a machine that cannot do it, in one sentence.
require_machine() {
  local system free
  system=$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release 2>/dev/null || uname -s)
  case $system in
    "Debian GNU/Linux 12"* | "Debian GNU/Linux 13"*) ;;
    *) die "wanted Debian 12 or 13, found $system." ;;
  esac
  if [ "$EUID" -ne 0 ] && ! sudo -v; then
    die "wanted root, or a user who may use sudo; $(id -un) is neither."
  fi
  if [ ! -e "$cache/ready" ]; then
    free=$(df --output=avail -k "$repo" | tail -n 1)
    [ "$free" -ge 6000000 ] || die "wanted 6 GB of free disk in $repo, found $((free / 1000000)) GB."
  fi
}

# Run the whole script as root, and give back to the user what it leaves in the checkout.
run_as_root() {
  [ "$EUID" -ne 0 ] || return 0
  local status=0
  sudo --preserve-env=DEMO_NAME,DEMO_PORT,http_proxy,https_proxy,no_proxy "$0" "$@" || status=$?
  sudo chown -Rhf "$(id -u):$(id -g)" .cache .venv inventories/local || true
  exit "$status"
}

# missing_packages PACKAGE=COMMAND...: the packages whose command is not there.
missing_packages() {
  local pair
  for pair; do
    command -v "${pair#*=}" >/dev/null || echo "${pair%%=*}"
  done
}

install_packages() {
  as_root apt-get update || true # a broken third-party source is no reason to stop
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@" ||
    die "apt-get could not install $*: is there a network, and are Debian's mirrors reachable?"
}

ensure_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -eq 0 ] || step "Install ${missing[*]}" install_packages "${missing[@]}"
}

find_python() {
  local release
  for release in "${python_releases[@]}"; do
    # A name on PATH may be a shim without a Python behind it, so it has to prove itself.
    if "python$release" -c 'import ensurepip, venv' 2>/dev/null; then
      command -v "python$release"
      return
    fi
  done
  return 1
}

install_python_packages() {
  "$1" -m venv --clear .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt ||
    die "pip could not install tests/requirements.txt: is there a network, and is a package index reachable?"
  echo "$2" >.venv/requirements.sha256
}

# ensure_python: .venv holds exactly what tests/requirements.txt asks for.
ensure_python() {
  local python wanted
  wanted=$(sha256sum <tests/requirements.txt)
  [ "$(cat .venv/requirements.sha256 2>/dev/null)" != "$wanted" ] || return 0
  if ! python=$(PATH=${PATH#"$repo/.venv/bin:"} find_python); then
    step "Install python3-venv" install_packages python3-venv
    python=$(PATH=${PATH#"$repo/.venv/bin:"} find_python) ||
      die "wanted Python ${python_releases[-1]} to ${python_releases[0]}, found $(python3 --version 2>&1)."
  fi
  step "Install the Python packages" install_python_packages "$python" "$wanted"
}

engine_answers() {
  docker version --format '{{.Server.Version}}'
}

start_engine() {
  local mtu
  if [ -d /run/systemd/system ]; then
    as_root systemctl start docker || true
  else
    mtu=$(cat "/sys/class/net/$(ip -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p;q')/mtu")
    as_root setsid nohup dockerd --mtu "$mtu" >"$logs/dockerd.log" 2>&1 &
  fi
  for _ in $(seq 60); do
    ! engine_answers || return 0
    sleep 1
  done
  die "Docker does not answer at $DOCKER_HOST: $(engine_answers 2>&1 | tail -n 1)"
}

# ensure_engine: a Docker engine answers, Debian's unless there is another one.
ensure_engine() {
  ensure_packages docker.io=dockerd iptables=iptables iproute2=ip
  ensure_packages docker-cli=docker # a package of its own since Debian 13
  engine_answers >/dev/null 2>&1 || step "Start Docker" start_engine
}

# ensure_fixtures: the images hosts start from, and the demo service's releases.
ensure_fixtures() {
  ensure_packages mmdebstrap=mmdebstrap openssh-client=ssh
  # Debian 13 has /tmp in memory, mounted nodev, where no system can be installed.
  local -x TMPDIR=/var/tmp
  for suite in bookworm trixie; do
    step "Host image of $suite" tests/fixtures/host_image "$suite"
  done
  step "Releases of the demo service" tests/fixtures/build
  touch "$cache/ready"
}
