_ampcli_completion() {
    local IFS=$'
'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _AMPCLI_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _ampcli_completion ampcli
COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}
