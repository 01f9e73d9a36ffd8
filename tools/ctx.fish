# SPDX-License-Identifier: GPL-2.0-only
# Completion of the ctx command in fish. What there is to complete comes from ctx itself.

function __ctx_commands
    ctx --help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)$' '$1\t$2'
end

# The command before the cursor, where there is one.
function __ctx_command
    set -l words (commandline -opc)
    echo $words[2]
end

function __ctx_has_no_command
    test (count (commandline -opc)) = 1
end

# The options of the command; those that take an argument end with =.
function __ctx_options
    ctx (__ctx_command) --help 2>/dev/null |
        string replace -rf '^ +(?:-[A-Za-z], +)?(--[a-z-]+=?)\S* +(.*)$' '$1\t$2'
end

# The contexts that the user may open, by id and, where the name is a plain word, by name.
function __ctx_contexts
    ctx ls --raw --noheadings --output ID,NAME 2>/dev/null |
        string replace -r ' -$' '' | string trim -r | string replace -r '^([0-9]+) ([A-Za-z_][\w.-]*)$' '$1\t$2\n$2\t#$1' |
        string replace -r '^([0-9]+) (.+)$' '$1\t$2' | string match -r '^[\w.-]+(?:\t.*)?$' | sort -u
end

function __ctx_wants_context
    contains -- (__ctx_command) cancel deadline info log ls tree value wait
end

# Whether the option, -t or --timeout, is followed by its argument.
function __ctx_takes_argument
    ctx (__ctx_command) --help 2>/dev/null | string match -qr -- "^ +(?:-[A-Za-z], +)?$argv[1](?:, +--[a-z-]+)?="
end

# What comes after ctx run and its options, as though it stood alone.
function __ctx_inner
    set -l words (commandline -opc)
    set -l at 3
    while test $at -le (count $words)
        switch $words[$at]
            case --
                set at (math $at + 1)
                break
            case '-*=*'
                set at (math $at + 1)
            case '-*'
                set at (math $at + 1)
                __ctx_takes_argument $words[(math $at - 1)]; and set at (math $at + 1)
            case '*'
                break
        end
    end
    test $at -le (math (count $words) + 1); or return
    # An option of ctx run itself
    test $at -le (count $words); or not string match -q -- '-*' (commandline -ct); or return
    complete --do-complete=(string join -- ' ' (string escape -- $words[$at..]) (commandline -ct))
end

# Where the word before the cursor is an option that wants an argument.
function __ctx_wants_argument
    set -l words (commandline -opc)
    test (count $words) -gt 2; and string match -q -- '-*' $words[-1]; and __ctx_takes_argument $words[-1]
end

complete -c ctx -f
complete -c ctx -n __ctx_has_no_command -a '(__ctx_commands)'
complete -c ctx -n __ctx_has_no_command -a '--help --version'
complete -c ctx -n 'test (__ctx_command) = help' -a '(__ctx_commands)'
complete -c ctx -n 'not __ctx_has_no_command; and string match -q -- "-*" (commandline -ct)' \
    -a '(__ctx_options)'
complete -c ctx -n '__ctx_wants_context; and not __ctx_wants_argument' -a '(__ctx_contexts)'
complete -c ctx -n 'contains -- (__ctx_command) run timeout; and not __ctx_wants_argument' \
    -a '(__ctx_inner)'
complete -c ctx -n 'string match -q -- "--under=*" (commandline -ct)' \
    -a '(__ctx_contexts | string replace -r "^" -- --under=)'
complete -c ctx -n 'test (__ctx_command) = run; and string match -q -- --under (commandline -opc)[-1]' \
    -a '(__ctx_contexts)'
