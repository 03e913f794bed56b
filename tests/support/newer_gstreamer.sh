#!/usr/bin/env bash
# Puts Debian 13's GStreamer (1.26) and its Python into a folder, for tests of cameras on it, and of
# GStreamer's own metadata, which Debian 12's 1.22 does not know: 85 MB of packages, 115 MB of Python's.
#
#   tests/support/newer_gstreamer.sh FOLDER <REQUIREMENTS
#
# apt works on lists and a state of its own in FOLDER; nothing of the system is touched, and nobody
# need be root. Nothing in FOLDER/root runs by itself: FOLDER/run COMMAND … starts a program of it with
# its own loader and libraries. REQUIREMENTS are what pip installs into FOLDER/site.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
root=$folder/root apt=$folder/apt

wanted=(
  gstreamer1.0-tools gstreamer1.0-plugins-base    # gst-launch-1.0, gst-inspect-1.0, what videos need
  gstreamer1.0-python3-plugin-loader              # our elements in gst-launch-1.0
  python3-gst-1.0 gir1.2-gst-plugins-bad-1.0      # GStreamer and its analytics from Python
  libonnxruntime1.21                              # of onnxinference
  libjpeg62-turbo                                 # of jpegdec
)
# Brought in by others, and used by no element of these tests: code generators of graphics drivers,
# and what runs a system.
unused='^(libllvm.*|libz3-.*|mesa-.*|libgl1-mesa-.*|systemd.*|libsystemd-shared|dpkg|iso-codes|procps|libpam.*)$'

rm -rf "$root" "$apt" "$folder/site"
mkdir -p "$root" "$apt"/{lists,archives}/partial
: >"$apt/status"
# From where this system has its own packages.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Component: main' \
  | awk '$2 !~ /-/ { print $1; exit }')
[ -n "$mirror" ]
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<EOF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Acquire::Languages "none";
APT::Sandbox::User "";
APT::Install-Recommends "false";
EOF
export APT_CONFIG=$apt/apt.conf
apt-get update -q -o APT::Update::Error-Mode=any
mapfile -t packages < <(apt-get install -s "${wanted[@]}" | awk '/^Inst /{ print $2 }' | grep -vE "$unused")
[ ${#packages[@]} -gt 0 ]
(cd "$apt/archives" && apt-get download -q "${packages[@]}")
for package in "$apt"/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
# Of these packages some plugins are wanted; what the others need is several times as much. Those of
# "good" are what a camera of a file of JPEGs takes.
take() { # PACKAGE PLUGIN …
  (cd "$apt" && apt-get download -q "gstreamer1.0-plugins-$1")
  dpkg-deb --fsys-tarfile "$apt/gstreamer1.0-plugins-$1"_*.deb \
    | tar -x -C "$root" --wildcards "${@:2}"
}
take bad './usr/lib/*/gstreamer-1.0/libgst'{analyticsoverlay,onnx,tensordecoders}.so
take good './usr/lib/*/gstreamer-1.0/libgst'{avi,jpeg,debug}.so
# GStreamer's loader of Python plugins asks for the name that a package for developers has.
for library in "$root"/usr/lib/*/libpython3.*.so.1; do ln -s "${library##*/}" "${library%.1}"; done
rm -rf "$apt"

cat >"$folder/run" <<EOF
#!/usr/bin/env bash
# Starts a program of root/usr/bin with its own loader and libraries.
lib=\$(echo $root/usr/lib/*-linux-gnu)
program=\$1
shift
export PATH=$folder/bin:\$PATH GST_REGISTRY=\${GST_REGISTRY:-$folder/registry.bin} GST_REGISTRY_FORK=no
export GST_PLUGIN_SYSTEM_PATH=\$lib/gstreamer-1.0 GI_TYPELIB_PATH=\$lib/girepository-1.0:$root/usr/lib/girepository-1.0
export PYTHONHOME=$root/usr PYTHONPATH=$here:$folder/site:$root/usr/lib/python3/dist-packages
export XDG_DATA_DIRS=$root/usr/share FONTCONFIG_SYSROOT=$root
exec "\$lib"/ld-linux-*.so.* --library-path "\$lib:\$lib/blas:\$lib/lapack" $root/usr/bin/"\$program" "\$@"
EOF
mkdir -p "$folder/bin"
printf '#!/bin/sh\nexec %s/run python3.13 "$@"\n' "$folder" >"$folder/bin/python3"
chmod +x "$folder/run" "$folder/bin/python3"

"$folder/run" python3.13 "$here"/.venv/lib/python3*/site-packages/pip install -q --disable-pip-version-check \
  --no-deps --require-hashes --only-binary :all: --no-compile --target "$folder/site" -r /dev/stdin
"$folder/run" gst-inspect-1.0 objectdetectionoverlay >/dev/null
for element in avidemux jpegdec capssetter; do "$folder/run" gst-inspect-1.0 "$element" >/dev/null; done
