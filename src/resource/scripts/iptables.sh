#!/bin/sh
# Rules of homelab's own in iptables: chains called HL_NAME_…, each jumped to once from a chain of the kernel's. Every other rule stays.
# NAME.v4 and NAME.v6 beside this file say what is in them. Started without arguments it loads all of them, as at boot.
hl_etc=/etc/homelab/iptables
hl_run=/run/homelab/iptables
nl='
'

# family: the tool's name
hl_tool() { if [ "$1" = 6 ]; then tool=ip6tables; else tool=iptables; fi; }

# name, text of iptables-save: the chains of that name and what jumps to them, a line each behind its table, into own
hl_own() {
  own='' table=''
  while IFS= read -r line; do
    case $line in
    '*'*) table=${line#?} ;;
    ":HL_$1_"*) own="$own$table ${line%% *}$nl" ;;
    "-A HL_$1_"* | *" -j HL_$1_"*) own="$own$table $line$nl" ;;
    esac
  done <<END
$2
END
}

# table: removes the chains in own that belong to it and that kept does not name, into out
hl_stale() {
  gone='' flushed='' unjumped=''
  while IFS= read -r line; do
    [ "${line%% *}" = "$1" ] || continue
    line=${line#* }
    case $line in
    :*)
      chain=${line#:}
      case " $kept " in *" $chain "*) ;; *) flushed="$flushed-F $chain$nl" gone="$gone-X $chain$nl" ;; esac
      ;;
    '-A '*' -j HL_'*)
      case " $kept " in *" ${line##* } "*) ;; *) unjumped="$unjumped-D ${line#-A }$nl" ;; esac
      ;;
    esac
  done <<END
$own
END
  out=$out$unjumped$flushed$gone
}

# What the tool says of out, and at the end, in one line, which rule it means, unless it only knew that at the table's end. Each kind of it
# has another way to say that.
hl_refused() {
  printf '%s\n' "$said"
  at=$(printf '%s\n' "$said" | sed -n 's/.*[Ll]ine:\{0,1\} \([0-9][0-9]*\).*/\1/p' | head -n 1)
  why=$(printf '%s\n' "$said" | sed -e 's/^ip6\{0,1\}tables[^:]*: *//' -e 's/^line [0-9]*: //' -e '/^ *$/d' -e '/^Error occurred/d' -e '/^Try /d' | head -n 1)
  rule=$(printf %s "$out" | sed -n "${at:-\$}p")
  [ "$rule" = COMMIT ] || why="$rule: $why"
  printf '%s\n' "$why"
}

# name, family: what its file says is put into force, all or nothing of a table; without a file nothing of the name is left.
hl_load() {
  hl_tool "$2"
  file=$hl_etc/$1.v$2 record=$hl_run/$1.v$2
  save=$($tool-save) || return
  hl_own "$1" "$save"
  text=''
  if [ -e "$file" ]; then text=$(cat "$file") || return; fi
  out='' seen='' kept='' table=''
  while IFS= read -r line; do
    case $line in
    '*'*) table=${line#?} seen="$seen $table" kept='' out="$out$line$nl" ;;
    :*)
      chain=${line%% *}
      kept="$kept ${chain#:}" out="$out$line$nl"
      ;;
    COMMIT)
      hl_stale "$table"
      out="${out}COMMIT$nl"
      ;;
    '-A HL_'*) out="$out$line$nl" ;;
    # A jump, once; `-I` says that it comes first.
    '-A '* | '-I '*) case $nl$own in *"$nl$table -A ${line#-? }$nl"*) ;; *) out="$out$line$nl" ;; esac ;;
    esac
  done <<END
$text
END
  kept=''
  for table in raw mangle nat filter; do
    case " $seen " in *" $table "*) continue ;; esac
    case $nl$own in
    *"$nl$table "*)
      out="$out*$table$nl"
      hl_stale "$table"
      out="${out}COMMIT$nl"
      ;;
    esac
  done
  said=$(printf %s "$out" | $tool-restore --noflush --wait 2>&1) || { hl_refused >&2; return 1; }
  [ -z "$said" ] || printf '%s\n' "$said" >&2
  save=$($tool-save) || return
  hl_own "$1" "$save"
  if [ -z "$own" ] && [ ! -e "$file" ]; then
    rm -f "$record"
    return
  fi
  mkdir -p "$hl_run" && sum=$(sha256sum <"$file") && printf '%s\n%s' "${sum%% *}" "$own" >"$record"
}

# name, the families that are wished: for each whether the kernel has what was loaded: `4 SUM same`, or `4 SUM other` and then what it
# has (+) and has not (-)
hl_check() {
  for family in 4 6; do
    hl_tool "$family"
    if ! command -v "$tool-save" >/dev/null; then
      case $2 in *"$family"*) exit 127 ;; esac
      echo "$family - same"
      continue
    fi
    record=$hl_run/$1.v$family
    # Nobody ever loaded anything: there is nothing to ask.
    if [ ! -e "$hl_etc/$1.v$family" ] && [ ! -e "$record" ]; then
      echo "$family - same"
      continue
    fi
    save=$($tool-save) || exit
    hl_own "$1" "$save"
    sum=- was=''
    if [ -e "$record" ]; then
      { IFS= read -r sum && was=$(cat); } <"$record"
      [ -z "$was" ] || was=$was$nl
    fi
    if [ "$own" = "$was" ]; then
      echo "$family $sum same"
      continue
    fi
    echo "$family $sum other"
    hl_lacks + "$own" "$was"
    hl_lacks - "$was" "$own"
  done
}

# sign, lines, lines: those of the first that the second lacks
hl_lacks() {
  while IFS= read -r line; do
    case "$nl$3" in *"$nl$line$nl"*) ;; *) [ -z "$line" ] || printf '%s%s\n' "$1" "$line" ;; esac
  done <<END
$2
END
}

hl_all() {
  for file in "$hl_etc"/*.v[46]; do
    [ -e "$file" ] || continue
    name=${file##*/}
    hl_load "${name%.v?}" "${name##*.v}" || failed=1
  done
  [ -z "${failed-}" ]
}
