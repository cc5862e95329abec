# shellcheck shell=sh disable=SC2154,SC2034 # variables are shared with run.sh
# SPDX-License-Identifier: MIT
# Starts a box and waits for it. Sourced by run.sh, which sets work, cache, limit, memory, cpu and
# verbose and defines refuse; and by boot.sh, for the emulators alone. Files in work: box.cpio.gz
# goes in; console.log (the kernel's messages), results (the second serial line), events (its marked
# lines) and box.out (the emulator's own words) come out.

# quiet: each character on the emulated line costs thousands of instructions. Self-tests of the
# kernel's ciphers, its own mitigations and its certificates took three quarters of Bochs's start
# and change nothing for a guest. A kernel that panics resets the machine, which ends the box.
kernel_arguments="console=ttyS0 quiet panic=-1 reboot=t tsc=reliable lpj=1000000 mitigations=off \
nokaslr cryptomgr.notests initcall_blacklist=load_system_certificate_list"

# In the background and under the limit, so that not even a killed run.sh leaves it running.
start() { # COMMAND...
  (cd "$work" && exec timeout -k 5 "$limit" "$@" </dev/null >box.out 2>&1) &
  box=$!
}

start_qemu() { # ARGUMENT...
  start qemu-system-x86_64 -accel tcg -cpu "${cpu:-max,+svm,+npt,+la57}" -m "${memory:-1024}" \
    -no-user-config -nodefaults -display none -no-reboot \
    -serial file:console.log -serial file:results "$@"
}

start_tcg_svm() {
  ln -sf "$cache/kernel/vmlinuz" "$work/vmlinuz" # its path may hold what QEMU takes for syntax
  # TSC and delays are real time here: the kernel had better measure them.
  start_qemu -kernel vmlinuz -initrd box.cpio.gz \
    -append "$(printf '%s' "$kernel_arguments" | sed 's/ lpj=[0-9]*//')"
}

# Bochs cannot load a kernel by itself: a CD does. GRUB's commands are on standard input.
make_cd() { # FILE...
  mkdir -p "$work/cd/boot/grub"
  cp "$@" "$work/cd/boot/"
  { echo 'set timeout=0' && cat && echo boot; } >"$work/cd/boot/grub/grub.cfg"
  grub-mkrescue -o "$work/box.iso" "$work/cd" >"$work/box.out" 2>&1 ||
    refuse "grub-mkrescue fails: $(tail -n 1 "$work/box.out")"
}

# Reset is an error and ends Bochs; so does switching the machine off. Debian's Bochs has a debugger,
# which waits to be told to continue.
write_bochsrc() {
  cat >"$work/bochsrc" <<END
display_library: x
cpu: model=${cpu:-corei7_skylake_x}, count=1, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
megs: ${memory:-512}
clock: sync=none, time0=utc
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=box.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=console.log
com2: enabled=1, mode=file, dev=results
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
speaker: enabled=0
END
  echo c >"$work/continue"
}

# Bochs insists on a screen. The server chooses a free number and tells it.
start_screen() {
  : >"$work/screen"
  timeout -k 5 "$((limit + 30))" Xvfb -displayfd 3 -nolisten tcp -screen 0 1024x768x24 \
    </dev/null >"$work/screen.log" 2>&1 3>"$work/screen" &
  screen=$!
  waited=0
  while [ ! -s "$work/screen" ]; do
    waited=$((waited + 1))
    if [ "$waited" -gt 150 ] || ! kill -0 "$screen" 2>/dev/null; then
      refuse "Xvfb does not start: $(tail -n 1 "$work/screen.log")"
    fi
    sleep 0.2
  done
}

start_bochs() {
  write_bochsrc
  start_screen
  start env DISPLAY=":$(cat "$work/screen")" bochs -q -f bochsrc -rc continue
}

start_bochs_vmx() {
  make_cd "$cache/kernel/vmlinuz" "$work/box.cpio.gz" <<END
linux /boot/vmlinuz $kernel_arguments
initrd /boot/box.cpio.gz
END
  start_bochs
}

# mawk would hold back its input until a buffer is full.
if awk -W version </dev/null 2>/dev/null | grep -q '^mawk'; then
  awk='awk -W interactive'
else
  awk="awk"
fi

# shellcheck disable=SC2016 # the dollars are awk's
follow_program='
  # A newline before a mark is ours; one that the last line of a program lacks is added.
  function finish() { if (open && last != "") printf "\n"; open = 0; fflush() }
  index($0, mark) == 1 {
    finish()
    print substr($0, length(mark) + 1) >>events
    close(events)
    inside = $3 == "begin"
    next
  }
  inside {
    if (open) printf "\n"
    printf "%s", $0
    fflush()
    open = 1
    last = $0
  }
  END { finish() }
'

# Prints what the programs write, while they do; marked lines become events.
follow() {
  tail -n +1 -f -s 0.2 --pid="$box" "$work/results" |
    $awk -v mark="$mark " -v events="$work/events" "$follow_program"
}

stop() { # PID
  kill "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# Until the box is off. One that has told everything and does not switch itself off is helped.
wait_for_box() {
  patience=50
  while kill -0 "$box" 2>/dev/null; do
    if grep -Eq '^(done|broken)' "$work/events"; then
      patience=$((patience - 1))
      if [ "$patience" -eq 0 ]; then break; fi
    fi
    sleep 0.2
  done
  if [ "$patience" -eq 0 ]; then kill "$box" 2>/dev/null || true; fi
  box_status=0
  wait "$box" || box_status=$?
  box=
}

# boot_box: one start of it, from packing to power-off. Sets box_status, 124 if the limit ended it.
boot_box() {
  make_initramfs
  : >"$work/console.log"
  : >"$work/results"
  case $host in
  tcg-svm) start_tcg_svm ;;
  bochs-vmx) start_bochs_vmx ;;
  esac
  if [ -n "$verbose" ]; then
    tail -n +1 -f -s 0.2 --pid="$box" "$work/console.log" | sed -u 's/^/  | /' >&2 &
  fi
  follow &
  follower=$!
  wait_for_box
  wait "$follower" || true
  if [ -n "$screen" ]; then stop "$screen"; fi
  screen=
}
