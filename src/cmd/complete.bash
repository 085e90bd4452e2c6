_llm() {
    local separator=$'\013' word=$2 is_quoted=false words answer value
    # Bash 3 gives a part of the word only.
    [[ ${BASH_VERSINFO[0]} -ge 4 ]] || word=${COMP_WORDS[COMP_CWORD]}
    # After an opening quote, a backslash does not quote what is put in.
    [[ ${COMP_WORDS[COMP_CWORD]} == *[\"\']* ]] && is_quoted=true
    words=("${COMP_WORDS[@]}")
    words[COMP_CWORD]=$word
    COMPREPLY=()
    answer=$(
        _CLAP_IFS=$separator _CLAP_COMPLETE_INDEX=$COMP_CWORD LLM_COMPLETE_QUOTED=$is_quoted LLM_COMPLETE=bash \
            llm -- "${words[@]}"
    ) || return
    [[ -n $answer ]] || return
    # Each value is read, not expanded: one with `*` would become the names of files.
    while IFS= read -r -d "$separator" value; do
        COMPREPLY+=("$value")
    done <<<"$answer$separator"
    [[ ${COMPREPLY-} =~ [=/:]$ ]] || compopt +o nospace 2>/dev/null
}
if [[ ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4 || ${BASH_VERSINFO[0]} -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _llm llm
else
    complete -o nospace -o bashdefault -F _llm llm
fi
