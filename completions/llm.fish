# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_llm_global_optspecs
    string join \n q/quiet v/verbose color= render= h/help V/version
end

function __fish_llm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_llm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_llm_using_subcommand
    set -l cmd (__fish_llm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c llm -n "__fish_llm_needs_command" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_needs_command" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_needs_command" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_needs_command" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_needs_command" -s V -l version -d 'Print version'
complete -c llm -n "__fish_llm_needs_command" -f -a "ask" -d 'Ask one model and stream its answer'
complete -c llm -n "__fish_llm_needs_command" -f -a "chat" -d 'Talk with a model, turn by turn'
complete -c llm -n "__fish_llm_needs_command" -f -a "compare" -d 'Ask several models at once and show their answers side by side'
complete -c llm -n "__fish_llm_needs_command" -f -a "pipeline" -d 'Run prompts that build on each other\'s answers, as the config describes them'
complete -c llm -n "__fish_llm_needs_command" -f -a "rerun" -d 'Send a recorded prompt again, elsewhere, and show the answers beside the recorded one'
complete -c llm -n "__fish_llm_needs_command" -f -a "serve" -d 'Be a gateway for other programs, with keys, budgets and limits for each'
complete -c llm -n "__fish_llm_needs_command" -f -a "models" -d 'List what the gateway offers, with prices'
complete -c llm -n "__fish_llm_needs_command" -f -a "usage" -d 'Show calls, tokens and costs, and where money could be saved'
complete -c llm -n "__fish_llm_needs_command" -f -a "log" -d 'List recorded calls, show one with its attempts, export or delete them'
complete -c llm -n "__fish_llm_needs_command" -f -a "probe" -d 'Find out by small requests what models can really do here: tools, images, seeds and more'
complete -c llm -n "__fish_llm_needs_command" -f -a "bench" -d 'Measure how fast models and gateways are, against each other and against earlier runs'
complete -c llm -n "__fish_llm_needs_command" -f -a "doctor" -d 'Check config, key, gateway and terminal, and say how to solve what is wrong'
complete -c llm -n "__fish_llm_needs_command" -f -a "key" -d 'Keep gateway keys in the keyring'
complete -c llm -n "__fish_llm_needs_command" -f -a "config" -d 'Show, change, check or create the config file'
complete -c llm -n "__fish_llm_needs_command" -f -a "alias" -d 'List, show, set and remove names for models'
complete -c llm -n "__fish_llm_needs_command" -f -a "template" -d 'List, show, make and edit templates of prompts'
complete -c llm -n "__fish_llm_needs_command" -f -a "cache" -d 'Show how much is in the answer cache, or empty it'
complete -c llm -n "__fish_llm_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c llm -n "__fish_llm_needs_command" -f -a "man" -d 'Print the manual page'
complete -c llm -n "__fish_llm_needs_command" -f -a "demo-gateway" -d 'Run the demo gateway until stdin ends; prints its base URL'
complete -c llm -n "__fish_llm_needs_command" -f -a "batch" -d 'Ask every row of a data set, and go on where an earlier run has stopped'
complete -c llm -n "__fish_llm_using_subcommand ask" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l fallback -d 'Next model or alias when the one before fails; repeatable, in order' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l timeout -d 'Time limit of a call with all its retries (`30s`, `2m`)' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l retries -d 'Retries after a failure that may pass' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l max-cost -d 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -s s -l system -d 'System prompt; `@FILE` reads a file' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -s f -l file -d 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l temperature -d 'Sampling temperature, from 0 to 2' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l top-p -d 'Nucleus sampling: the share of probability to choose from, from 0 to 1' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l max-tokens -d 'Most output tokens' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l stop -d 'Stop at this text; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l seed -d 'Seed, for models that can repeat an answer' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l logprobs -d 'Add the log probability of each token to -o json, with N alternatives to each' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l effort -d 'Reasoning effort: none, minimal, low, medium, high or another level that the model has' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -s p -l param -d 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l schema -d 'JSON Schema that the answer must follow; exit 9 if it does not' -r -F
complete -c llm -n "__fish_llm_using_subcommand ask" -l tools -d 'JSON array of functions that the model may call; -o json has its calls' -r -F
complete -c llm -n "__fish_llm_using_subcommand ask" -l tag -d 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand ask" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand ask" -s T -l template -d 'Fill in this template of the config; the prompt and stdin are its input' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -l var -d 'Value of a variable of the template; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -s m -l model -d 'Model, alias or `GATEWAY::MODEL`' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -s t -l task -d 'Task of the config, which leads to a model or alias' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -s c -l continue -d 'Continue the last conversation, or the one of the call with this id, with its model unless -m names another' -r
complete -c llm -n "__fish_llm_using_subcommand ask" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
jsonl\t''
markdown\t''"
complete -c llm -n "__fish_llm_using_subcommand ask" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand ask" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand ask" -s n -l no-stdin -d 'Do not read stdin'
complete -c llm -n "__fish_llm_using_subcommand ask" -l cache -d 'Use the answer cache: print the stored answer to the same request, or store the new one'
complete -c llm -n "__fish_llm_using_subcommand ask" -l no-cache -d 'Do not use the answer cache, even if the config enables it'
complete -c llm -n "__fish_llm_using_subcommand ask" -l allow-unpriced -d 'Send requests of unknown price even where a budget or --max-cost applies'
complete -c llm -n "__fish_llm_using_subcommand ask" -l no-stream -d 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`'
complete -c llm -n "__fish_llm_using_subcommand ask" -l dry-run -d 'Print the HTTP request that would be sent, with its estimated cost; send nothing'
complete -c llm -n "__fish_llm_using_subcommand ask" -l stats -d 'Print a line of time, tokens and cost on stderr (the default on a terminal)'
complete -c llm -n "__fish_llm_using_subcommand ask" -l show-reasoning -d 'Print the model\'s reasoning on stderr'
complete -c llm -n "__fish_llm_using_subcommand ask" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand ask" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand ask" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand chat" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l fallback -d 'Next model or alias when the one before fails; repeatable, in order' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l timeout -d 'Time limit of a call with all its retries (`30s`, `2m`)' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l retries -d 'Retries after a failure that may pass' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l max-cost -d 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -s s -l system -d 'System prompt; `@FILE` reads a file' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -s f -l file -d 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l temperature -d 'Sampling temperature, from 0 to 2' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l top-p -d 'Nucleus sampling: the share of probability to choose from, from 0 to 1' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l max-tokens -d 'Most output tokens' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l stop -d 'Stop at this text; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l seed -d 'Seed, for models that can repeat an answer' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l logprobs -d 'Add the log probability of each token to -o json, with N alternatives to each' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l effort -d 'Reasoning effort: none, minimal, low, medium, high or another level that the model has' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -s p -l param -d 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l schema -d 'JSON Schema that the answer must follow; exit 9 if it does not' -r -F
complete -c llm -n "__fish_llm_using_subcommand chat" -l tools -d 'JSON array of functions that the model may call; -o json has its calls' -r -F
complete -c llm -n "__fish_llm_using_subcommand chat" -l tag -d 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand chat" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand chat" -s m -l model -d 'Model, alias or `GATEWAY::MODEL`' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -s t -l task -d 'Task of the config, which leads to a model or alias' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -s c -l continue -d 'Continue the last conversation, or the one of the call with this id, with its model unless -m names another' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l list -d 'List the conversations whose calls have this text, or the latest ones; -c ID continues one' -r
complete -c llm -n "__fish_llm_using_subcommand chat" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand chat" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand chat" -s n -l no-stdin -d 'Do not read stdin'
complete -c llm -n "__fish_llm_using_subcommand chat" -l cache -d 'Use the answer cache: print the stored answer to the same request, or store the new one'
complete -c llm -n "__fish_llm_using_subcommand chat" -l no-cache -d 'Do not use the answer cache, even if the config enables it'
complete -c llm -n "__fish_llm_using_subcommand chat" -l allow-unpriced -d 'Send requests of unknown price even where a budget or --max-cost applies'
complete -c llm -n "__fish_llm_using_subcommand chat" -l no-stream -d 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`'
complete -c llm -n "__fish_llm_using_subcommand chat" -l dry-run -d 'Print the HTTP request that would be sent, with its estimated cost; send nothing'
complete -c llm -n "__fish_llm_using_subcommand chat" -l show-reasoning -d 'Print the model\'s reasoning on stderr'
complete -c llm -n "__fish_llm_using_subcommand chat" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand chat" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand chat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand compare" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l fallback -d 'Next model or alias when the one before fails; repeatable, in order' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l timeout -d 'Time limit of a call with all its retries (`30s`, `2m`)' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l retries -d 'Retries after a failure that may pass' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l max-cost -d 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -s s -l system -d 'System prompt; `@FILE` reads a file' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -s f -l file -d 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l temperature -d 'Sampling temperature, from 0 to 2' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l top-p -d 'Nucleus sampling: the share of probability to choose from, from 0 to 1' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l max-tokens -d 'Most output tokens' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l stop -d 'Stop at this text; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l seed -d 'Seed, for models that can repeat an answer' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l logprobs -d 'Add the log probability of each token to -o json, with N alternatives to each' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l effort -d 'Reasoning effort: none, minimal, low, medium, high or another level that the model has' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -s p -l param -d 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l schema -d 'JSON Schema that the answer must follow; exit 9 if it does not' -r -F
complete -c llm -n "__fish_llm_using_subcommand compare" -l tools -d 'JSON array of functions that the model may call; -o json has its calls' -r -F
complete -c llm -n "__fish_llm_using_subcommand compare" -l tag -d 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand compare" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand compare" -s T -l template -d 'Fill in this template of the config; the prompt and stdin are its input' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l var -d 'Value of a variable of the template; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -s m -l model -d 'Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -s t -l task -d 'Tasks of the config, each of which leads to a model or alias; comma-separated or repeated' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l set -d 'A list of models from the config' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l concurrency -d 'How many calls run at once; all by default' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l repeat -d 'Ask each model N times without the answer cache, and show median and spread' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l score -d 'Score the answers: exact:TEXT, contains:TEXT, regex:PATTERN, schema:FILE, agreement, confidence, shortest, fastest, cheapest or command:PROGRAM; `*N` after it is its weight beside others; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l judge -d 'Let this model score the answers, without their names and in changing order; several make a panel; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l criteria -d 'What judges score by; `@FILE` reads a file' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l fail-under -d 'Exit with 9 if the best score is below this, or not known' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l against -d 'Show how they differ from the answer of this model' -r
complete -c llm -n "__fish_llm_using_subcommand compare" -l sort -d 'Order of the answers; as asked by default' -r -f -a "latency\t'Total time'
first-token\t''
cost\t''
score\t'The best first'"
complete -c llm -n "__fish_llm_using_subcommand compare" -l layout -d 'Answers side by side or below each other; by width by default' -r -f -a "columns\t''
stacked\t''"
complete -c llm -n "__fish_llm_using_subcommand compare" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
jsonl\t''
markdown\t''
csv\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand compare" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand compare" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand compare" -s n -l no-stdin -d 'Do not read stdin'
complete -c llm -n "__fish_llm_using_subcommand compare" -l cache -d 'Use the answer cache: print the stored answer to the same request, or store the new one'
complete -c llm -n "__fish_llm_using_subcommand compare" -l no-cache -d 'Do not use the answer cache, even if the config enables it'
complete -c llm -n "__fish_llm_using_subcommand compare" -l allow-unpriced -d 'Send requests of unknown price even where a budget or --max-cost applies'
complete -c llm -n "__fish_llm_using_subcommand compare" -l no-stream -d 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`'
complete -c llm -n "__fish_llm_using_subcommand compare" -l dry-run -d 'Print the HTTP request that would be sent, with its estimated cost; send nothing'
complete -c llm -n "__fish_llm_using_subcommand compare" -l judge-own -d 'Let judges score answers of their own model as well'
complete -c llm -n "__fish_llm_using_subcommand compare" -l reasons -d 'Show the reasons for the scores'
complete -c llm -n "__fish_llm_using_subcommand compare" -l best -d 'Print the text of the best answer alone'
complete -c llm -n "__fish_llm_using_subcommand compare" -l vote -d 'Show the answers as A, B, C, ask which is best, then show their names; `usage --by wins` counts the votes'
complete -c llm -n "__fish_llm_using_subcommand compare" -l diff -d 'Show how the answers differ from the first one, word by word on a terminal'
complete -c llm -n "__fish_llm_using_subcommand compare" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand compare" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand compare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and not __fish_seen_subcommand_from run list show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and not __fish_seen_subcommand_from run list show" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and not __fish_seen_subcommand_from run list show" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and not __fish_seen_subcommand_from run list show" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and not __fish_seen_subcommand_from run list show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and not __fish_seen_subcommand_from run list show" -f -a "run" -d 'Run the steps and print the answer of the last one; steps that do not use one another run at once'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and not __fish_seen_subcommand_from run list show" -f -a "list" -d 'List the pipelines of the config'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and not __fish_seen_subcommand_from run list show" -f -a "show" -d 'Show the steps of a pipeline, their models, and which steps each of them uses'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l fallback -d 'Next model or alias when the one before fails; repeatable, in order' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l timeout -d 'Time limit of a call with all its retries (`30s`, `2m`)' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l retries -d 'Retries after a failure that may pass' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l max-cost -d 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s s -l system -d 'System prompt; `@FILE` reads a file' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s f -l file -d 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l temperature -d 'Sampling temperature, from 0 to 2' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l top-p -d 'Nucleus sampling: the share of probability to choose from, from 0 to 1' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l max-tokens -d 'Most output tokens' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l stop -d 'Stop at this text; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l seed -d 'Seed, for models that can repeat an answer' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l logprobs -d 'Add the log probability of each token to -o json, with N alternatives to each' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l effort -d 'Reasoning effort: none, minimal, low, medium, high or another level that the model has' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s p -l param -d 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l schema -d 'JSON Schema that the answer must follow; exit 9 if it does not' -r -F
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l tools -d 'JSON array of functions that the model may call; -o json has its calls' -r -F
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l tag -d 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l step -d 'Print the answer of this step instead of the last one\'s' -r
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
jsonl\t''
markdown\t''"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s n -l no-stdin -d 'Do not read stdin'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l cache -d 'Use the answer cache: print the stored answer to the same request, or store the new one'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l no-cache -d 'Do not use the answer cache, even if the config enables it'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l allow-unpriced -d 'Send requests of unknown price even where a budget or --max-cost applies'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l no-stream -d 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l dry-run -d 'Print the HTTP request that would be sent, with its estimated cost; send nothing'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -l stats -d 'Print a table of steps, times and costs on stderr (the default on a terminal)'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from list" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from show" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from show" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand pipeline; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand rerun" -s m -l model -d 'Models, comma-separated or repeated; the same as then if none is named' -r
complete -c llm -n "__fish_llm_using_subcommand rerun" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand rerun" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand rerun" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand rerun" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand rerun" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
jsonl\t''
markdown\t''
csv\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand rerun" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand rerun" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand rerun" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand rerun" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand rerun" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -s l -l listen -d 'Address to listen on' -r
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l max-in-flight -d 'Requests that run at once; others wait, fair by key' -r
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l max-waiting -d 'Requests that wait at most; further ones get 503' -r
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l max-connections -d 'Connections at once' -r
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l max-body -d 'Largest body of a request, in MiB' -r
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l idle -d 'How long a client may be silent where something is awaited from it' -r
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l drain -d 'How long running requests may go on after SIGTERM' -r
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand serve; and not __fish_seen_subcommand_from key" -f -a "key" -d 'Make, change and revoke the keys of clients'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -f -a "new" -d 'Make a key; it is shown once'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -f -a "list" -d 'List the keys'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -f -a "show" -d 'Show what a key may do'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -f -a "edit" -d 'Change what a key may do; `none` removes a limit'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -f -a "rotate" -d 'Give a key a new secret, which is shown once'
complete -c llm -n "__fish_llm_using_subcommand serve; and __fish_seen_subcommand_from key" -f -a "revoke" -d 'End a key for good'
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -l supports -d 'Only models that can do all of these, by `llm probe` or else by the gateway\'s list: tools, vision, json, reasoning, audio; and what only a probe finds out, such as stop or seed' -r
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -l max-price -d 'Only models whose input and output both cost at most this many USD per million tokens' -r
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -l min-context -d 'Only models with a context window of at least this many tokens (`128k`)' -r
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -l sort -d 'Order of the list' -r -f -a "price\t''
context\t''
name\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
csv\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -l refresh -d 'Ask the gateway even if a recent list is cached'
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -a "list" -d 'List models, as without a subcommand'
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -a "show" -d 'Show all about one model, and what it costs at every gateway that has it'
complete -c llm -n "__fish_llm_using_subcommand models; and not __fish_seen_subcommand_from list show default" -a "default" -d 'Print the model that is asked where none is named, or set it in the config file'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -l supports -d 'Only models that can do all of these, by `llm probe` or else by the gateway\'s list: tools, vision, json, reasoning, audio; and what only a probe finds out, such as stop or seed' -r
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -l max-price -d 'Only models whose input and output both cost at most this many USD per million tokens' -r
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -l min-context -d 'Only models with a context window of at least this many tokens (`128k`)' -r
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -l sort -d 'Order of the list' -r -f -a "price\t''
context\t''
name\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
csv\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -l refresh -d 'Ask the gateway even if a recent list is cached'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
csv\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -l refresh -d 'Ask the gateways even if recent lists are cached'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from default" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from default" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from default" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from default" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand models; and __fish_seen_subcommand_from default" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand usage" -s m -l model -d 'Only models whose name holds this text' -r
complete -c llm -n "__fish_llm_using_subcommand usage" -s g -l gateway -d 'Only calls to this gateway' -r
complete -c llm -n "__fish_llm_using_subcommand usage" -l key -d 'Only calls paid with this key' -r
complete -c llm -n "__fish_llm_using_subcommand usage" -s t -l task -d 'Only calls of this task' -r
complete -c llm -n "__fish_llm_using_subcommand usage" -l tag -d 'Only calls with this tag, of any value if none is given; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand usage" -l status -d 'Only calls with this status' -r -f -a "ok\t''
truncated\t''
failed\t''
interrupted\t''
refused\t''"
complete -c llm -n "__fish_llm_using_subcommand usage" -l since -d 'Only calls since this time: `7d`, `12h`, a date or a time (UTC)' -r
complete -c llm -n "__fish_llm_using_subcommand usage" -l before -d 'Only calls before this time' -r
complete -c llm -n "__fish_llm_using_subcommand usage" -l by -d 'What to group by, comma-separated or repeated: model, gateway, provider, key, task, day, status, tag:NAME; or wins: which models people and judges prefer' -r
complete -c llm -n "__fish_llm_using_subcommand usage" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand usage" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand usage" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand usage" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand usage" -l budgets -d 'Show instead what is left of each budget of the config'
complete -c llm -n "__fish_llm_using_subcommand usage" -l check -d 'Compare the ledger with what gateways say was spent; -g and --key choose'
complete -c llm -n "__fish_llm_using_subcommand usage" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand usage" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand usage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -s m -l model -d 'Only models whose name holds this text' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -s g -l gateway -d 'Only calls to this gateway' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l key -d 'Only calls paid with this key' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -s t -l task -d 'Only calls of this task' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l tag -d 'Only calls with this tag, of any value if none is given; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l status -d 'Only calls with this status' -r -f -a "ok\t''
truncated\t''
failed\t''
interrupted\t''
refused\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l since -d 'Only calls since this time: `7d`, `12h`, a date or a time (UTC)' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l before -d 'Only calls before this time' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l search -d 'Only calls with all of these words in prompt or answer' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -s n -l limit -d 'The most calls to list; 0 lists all' -r
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
jsonl\t''
csv\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -l audit -d 'Show who changed which key of `llm serve`, instead of calls'
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -f -a "list" -d 'List calls, newest first'
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -f -a "show" -d 'Show one call with all of its attempts'
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -f -a "export" -d 'Write calls in the format of another program'
complete -c llm -n "__fish_llm_using_subcommand log; and not __fish_seen_subcommand_from list show export purge" -f -a "purge" -d 'Delete calls for good'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -s m -l model -d 'Only models whose name holds this text' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -s g -l gateway -d 'Only calls to this gateway' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l key -d 'Only calls paid with this key' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -s t -l task -d 'Only calls of this task' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l tag -d 'Only calls with this tag, of any value if none is given; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l status -d 'Only calls with this status' -r -f -a "ok\t''
truncated\t''
failed\t''
interrupted\t''
refused\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l since -d 'Only calls since this time: `7d`, `12h`, a date or a time (UTC)' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l before -d 'Only calls before this time' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l search -d 'Only calls with all of these words in prompt or answer' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -s n -l limit -d 'The most calls to list; 0 lists all' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
jsonl\t''
csv\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -l audit -d 'Show who changed which key of `llm serve`, instead of calls'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from show" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from show" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from show" -l conversation -d 'Show the whole conversation that it belongs to'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -s m -l model -d 'Only models whose name holds this text' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -s g -l gateway -d 'Only calls to this gateway' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l key -d 'Only calls paid with this key' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -s t -l task -d 'Only calls of this task' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l tag -d 'Only calls with this tag, of any value if none is given; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l status -d 'Only calls with this status' -r -f -a "ok\t''
truncated\t''
failed\t''
interrupted\t''
refused\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l since -d 'Only calls since this time: `7d`, `12h`, a date or a time (UTC)' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l before -d 'Only calls before this time' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l format -d 'Which format' -r -f -a "otel\t'OpenTelemetry traces as OTLP JSON, by the GenAI conventions'"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from purge" -l before -d 'Those before this time: `90d`, a date or a time (UTC)' -r
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from purge" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from purge" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from purge" -l all -d 'All of them'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from purge" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from purge" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand log; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand probe" -s m -l model -d 'Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`; by default those that the gateway\'s settings name' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -l only -d 'Only these features: stream, system, stop, seed, max_tokens, tools, parallel_tools, json_schema, image, pdf, logprobs, reasoning, usage, cost' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -l deep -d 'Find out as well how long a prompt is really accepted, with long prompts of at most TOKENS, or of the length that the gateway lists' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -l max-cost -d 'Refuse what is expected to cost more than this, in US dollars, and send no request with which it could cost more' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -l timeout -d 'Time limit of a request with all its retries (`30s`, `2m`)' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -l retries -d 'Retries after a failure that may pass' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -l concurrency -d 'How many requests run at once' -r
complete -c llm -n "__fish_llm_using_subcommand probe" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand probe" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand probe" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
csv\t''
markdown\t''"
complete -c llm -n "__fish_llm_using_subcommand probe" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand probe" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand probe" -l allow-unpriced -d 'Send requests of unknown price even where a budget or --max-cost applies'
complete -c llm -n "__fish_llm_using_subcommand probe" -l evidence -d 'Show for each finding what was sent and what came back'
complete -c llm -n "__fish_llm_using_subcommand probe" -l dry-run -d 'Print the HTTP requests that would be sent, with their estimated costs; send nothing'
complete -c llm -n "__fish_llm_using_subcommand probe" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand probe" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand bench" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l fallback -d 'Next model or alias when the one before fails; repeatable, in order' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l timeout -d 'Time limit of a call with all its retries (`30s`, `2m`)' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l retries -d 'Retries after a failure that may pass' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l max-cost -d 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -s s -l system -d 'System prompt; `@FILE` reads a file' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -s f -l file -d 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l temperature -d 'Sampling temperature, from 0 to 2' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l top-p -d 'Nucleus sampling: the share of probability to choose from, from 0 to 1' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l max-tokens -d 'Most output tokens' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l stop -d 'Stop at this text; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l seed -d 'Seed, for models that can repeat an answer' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l logprobs -d 'Add the log probability of each token to -o json, with N alternatives to each' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l effort -d 'Reasoning effort: none, minimal, low, medium, high or another level that the model has' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -s p -l param -d 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l schema -d 'JSON Schema that the answer must follow; exit 9 if it does not' -r -F
complete -c llm -n "__fish_llm_using_subcommand bench" -l tools -d 'JSON array of functions that the model may call; -o json has its calls' -r -F
complete -c llm -n "__fish_llm_using_subcommand bench" -l tag -d 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand bench" -l out -d 'Write there instead of stdout, atomically' -r -F
complete -c llm -n "__fish_llm_using_subcommand bench" -s m -l model -d 'Models, comma-separated or repeated; each is a model, an alias or `GATEWAY::MODEL`; by default those that the gateway\'s settings name' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l requests -d 'How many requests each model gets' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l concurrency -d 'How many requests to each model run at once; the next one is sent when one is over' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l rate -d 'How many requests a second each model gets, whether or not earlier ones are over; times then count from the moment when a request is due, so that waiting is counted' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l warmup -d 'How many requests each model gets before, which are not counted' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -l compare-with -d 'Compare with an earlier run: the beginning or the end of its id, or `last`' -r
complete -c llm -n "__fish_llm_using_subcommand bench" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand bench" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand bench" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand bench" -s n -l no-stdin -d 'Do not read stdin'
complete -c llm -n "__fish_llm_using_subcommand bench" -l cache -d 'Use the answer cache: print the stored answer to the same request, or store the new one'
complete -c llm -n "__fish_llm_using_subcommand bench" -l no-cache -d 'Do not use the answer cache, even if the config enables it'
complete -c llm -n "__fish_llm_using_subcommand bench" -l allow-unpriced -d 'Send requests of unknown price even where a budget or --max-cost applies'
complete -c llm -n "__fish_llm_using_subcommand bench" -l no-stream -d 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`'
complete -c llm -n "__fish_llm_using_subcommand bench" -l dry-run -d 'Print the HTTP request that would be sent, with its estimated cost; send nothing'
complete -c llm -n "__fish_llm_using_subcommand bench" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand bench" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand doctor" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand doctor" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand doctor" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand doctor" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand doctor" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand doctor" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand doctor" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -f -a "set" -d 'Save a gateway\'s key: asked for without echo, or read from stdin'
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -f -a "list" -d 'List saved keys and those in the environment'
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -f -a "show" -d 'Show where a gateway\'s key comes from, and its last four characters'
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -f -a "test" -d 'Ask the gateway whether it takes the key'
complete -c llm -n "__fish_llm_using_subcommand key; and not __fish_seen_subcommand_from set list show test rm" -f -a "rm" -d 'Remove a saved key'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from set" -l name -d 'Keep it under this name, beside others of the same gateway' -r
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from set" -l store -d 'Where to keep it; the keyring by default' -r -f -a "keyring\t'The operating system\'s keyring'
file\t'A file that only you can read, in plain text'"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from set" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from set" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from list" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from show" -l name -d 'The key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from show" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from show" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from test" -l name -d 'The key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from test" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from test" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from rm" -l name -d 'The key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from rm" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from rm" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand key; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -f -a "path" -d 'Print where the config file is'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -f -a "show" -d 'Print the settings in force and where each comes from'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -f -a "get" -d 'Print one setting in force'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -f -a "set" -d 'Set one setting in the config file, whose comments and order stay'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -f -a "unset" -d 'Remove one setting from the config file'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -f -a "edit" -d 'Open the config file in $VISUAL or $EDITOR, then check it'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -f -a "check" -d 'Check the config file'
complete -c llm -n "__fish_llm_using_subcommand config; and not __fish_seen_subcommand_from path show get set unset edit check init" -f -a "init" -d 'Create a commented config file'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from path" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from path" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from path" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from path" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from show" -l route -d 'Explain where this task, alias or model leads, and why in that order' -r
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from show" -s g -l gateway -d 'Gateway for names without `GATEWAY::`, with --route' -r
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from show" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from get" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from get" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from set" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from set" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from unset" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from unset" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from unset" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from unset" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from unset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from edit" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from edit" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from edit" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from edit" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from check" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from check" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from init" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from init" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from init" -l force -d 'Replace one that exists'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from init" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from init" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand config; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -f -a "list" -d 'List the aliases of the config'
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -f -a "show" -d 'Show an alias as the config has it'
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -f -a "set" -d 'Make an alias in the config file, or change one'
complete -c llm -n "__fish_llm_using_subcommand alias; and not __fish_seen_subcommand_from list show set rm" -f -a "rm" -d 'Remove an alias from the config file'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from list" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from show" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from show" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from set" -l strategy -d 'In which order they are tried; as written by default' -r -f -a "ordered\t'As written'
cheapest\t'The cheapest first'
fastest\t'The one whose answers begin soonest first'
balanced\t'At random'"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from set" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from set" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from rm" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from rm" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand alias; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -f -a "list" -d 'List the templates of the config, with their variables'
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -f -a "show" -d 'Show a template, its variables and where it leads'
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -f -a "new" -d 'Make a template in the config file: with these texts, or in $VISUAL or $EDITOR'
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -f -a "edit" -d 'Change a template in $VISUAL or $EDITOR'
complete -c llm -n "__fish_llm_using_subcommand template; and not __fish_seen_subcommand_from list show new edit rm" -f -a "rm" -d 'Remove a template from the config file'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from list" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from show" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from show" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from show" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -l prompt -d 'The prompt; `{{ input }}` stands for the input' -r
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -s s -l system -d 'The system prompt' -r
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -s m -l model -d 'Model, alias or `GATEWAY::MODEL`' -r
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -l description -d 'One line that says what it is for' -r
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from edit" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from edit" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from edit" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from edit" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from rm" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from rm" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand template; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -f -a "stats" -d 'Show how many answers are stored, and their size'
complete -c llm -n "__fish_llm_using_subcommand cache; and not __fish_seen_subcommand_from stats clear" -f -a "clear" -d 'Delete all stored answers'
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from stats" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from stats" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from stats" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from stats" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from stats" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from clear" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from clear" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from clear" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from clear" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand cache; and __fish_seen_subcommand_from clear" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand completions" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand completions" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand completions" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand completions" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand man" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand man" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand man" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand man" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand demo-gateway" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand demo-gateway" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand demo-gateway" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand demo-gateway" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand demo-gateway" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s g -l gateway -d 'Gateway to ask where no name says another (`GATEWAY::MODEL`)' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l key -d 'Use the gateway\'s saved key of this name' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l fallback -d 'Next model or alias when the one before fails; repeatable, in order' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l timeout -d 'Time limit of a call with all its retries (`30s`, `2m`)' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l retries -d 'Retries after a failure that may pass' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l max-cost -d 'Send nothing that could cost the whole command more than this, in US dollars; needs --max-tokens, which bounds the answer' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s s -l system -d 'System prompt; `@FILE` reads a file' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s f -l file -d 'Attach a text file, image, PDF or audio file, recognised by its content, or the URL of an image; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l temperature -d 'Sampling temperature, from 0 to 2' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l top-p -d 'Nucleus sampling: the share of probability to choose from, from 0 to 1' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l max-tokens -d 'Most output tokens' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l stop -d 'Stop at this text; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l seed -d 'Seed, for models that can repeat an answer' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l logprobs -d 'Add the log probability of each token to -o json, with N alternatives to each' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l effort -d 'Reasoning effort: none, minimal, low, medium, high or another level that the model has' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s p -l param -d 'Any further field of the request body (`-p top_k=40`); a value that is not JSON is a string; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l schema -d 'JSON Schema that the answer must follow; exit 9 if it does not' -r -F
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l tools -d 'JSON array of functions that the model may call; -o json has its calls' -r -F
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l tag -d 'Tag of the record, by which costs can be grouped (`app=bot`); repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l log -d 'What the ledger keeps of this run; everything by default' -r -f -a "full\t'Everything, prompt and answer included'
metadata\t'Hashes, lengths and figures, but no text'
off\t'Nothing'"
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s m -l model -d 'Models, comma-separated or repeated; each row is asked of all of them' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s t -l task -d 'Tasks of the config, each of which leads to a model or alias; comma-separated or repeated' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l set -d 'A list of models from the config' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l pipeline -d 'Run this pipeline of the config on each row, with the row\'s prompt as its input' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l concurrency -d 'How many calls run at once; by default as many as the gateway bears' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l via -d '`api` hands the batch to the gateway\'s own Batch API, which is slower and often half the price' -r -f -a "calls\t'Call the models one by one, many at once'
api\t'Hand over all requests in a file, and collect the answers later'"
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s T -l template -d 'The prompt of each row: a template of the config, or a text such as \'Classify: {{ text }}\' with fields of the row' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l var -d 'Value of a variable of the template, for all rows; repeatable' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l file-field -d 'Attach the file that this field of the row names, or the files that it lists' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l input-format -d 'Form of the data set; its name or its first character says it by default' -r -f -a "jsonl\t'A JSON object on each line'
csv\t'Comma-separated values below a line of names'
tsv\t'The same with tabs'
lines\t'A text on each line, in the field `line`'"
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l limit -d 'Ask the first N rows only' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l sample -d 'Ask N rows drawn by chance; the same rows each time' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l sample-seed -d 'Draw another sample' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l shard -d 'Ask the I-th of N parts of the rows (`2/4`); `llm batch merge` joins their outputs' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l on-error -d 'What happens at a row that cannot be used or has failed; it is skipped by default' -r -f -a "skip\t'Note the error in the output, and go on'
stop\t'Take no further rows'"
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l expect -d 'The field with the right answer; the summary says how many answers are right' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l score -d 'Score each answer: exact, exact:TEXT, contains:TEXT, regex:PATTERN, schema:FILE or confidence; repeatable. Without TEXT, exact and contains compare with the field of --expect' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l id-field -d 'The field that names the row; two rows with the same name are an error of the second' -r
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l order -d 'Order of the lines: of the rows (the default with --out), or as calls end (the default without)' -r -f -a "input\t'As the rows; a file is brought into this order at the end'
finished\t'As calls end'"
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
markdown\t''
csv\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l out -d 'Write a line for each row and model there, as soon as its call has ended; the summary goes to stdout' -r -F
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l cache -d 'Use the answer cache: print the stored answer to the same request, or store the new one'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l no-cache -d 'Do not use the answer cache, even if the config enables it'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l allow-unpriced -d 'Send requests of unknown price even where a budget or --max-cost applies'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l no-stream -d 'Ask for the answer in one piece instead of a stream; the same as `-p stream=false`'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l resume -d 'Go on with the output of an earlier run: rows that have a line there are not asked again'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l retry-failed -d 'The same, and ask the rows again that have failed'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s n -l no-stdin -d 'Do not read stdin'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -l dry-run -d 'Print the first request that would be sent, and what all of them may cost and take; send nothing'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -a "list" -d 'List the batches of the ledger, the newest first'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -a "status" -d 'Show how far a batch is, and its summary by model'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -a "retry-failed" -d 'Ask the rows again that have failed, as the command of the batch says'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -a "cancel" -d 'Stop a batch: it takes no further rows, and what is in flight is finished'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -a "collect" -d 'Get the answers of a batch that was handed over with --via api, as far as they are ready'
complete -c llm -n "__fish_llm_using_subcommand batch; and not __fish_seen_subcommand_from list status retry-failed cancel collect merge" -a "merge" -d 'Join the outputs of shards, in the order of rows, and show their summary'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from list" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from list" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from list" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from status" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
markdown\t''
csv\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from status" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from status" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from retry-failed" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
markdown\t''
csv\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from retry-failed" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from retry-failed" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from retry-failed" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from retry-failed" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from retry-failed" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from cancel" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from cancel" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from cancel" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from cancel" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from collect" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
markdown\t''
csv\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from collect" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from collect" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from collect" -l wait -d 'Wait until the gateway has ended it'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from collect" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from collect" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from collect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from merge" -l out -d 'Write the joined lines there' -r -F
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from merge" -s o -l output -d 'Format of the output' -r -f -a "text\t''
json\t''
markdown\t''
csv\t''
html\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from merge" -l color -d 'When to use colors' -r -f -a "auto\t''
always\t''
never\t''"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from merge" -l render -d 'How answers in Markdown are shown; rendered on a terminal by default' -r -f -a "auto\t'Rendered on a terminal, and as they are elsewhere'
markdown\t'Rendered everywhere'
plain\t'As they are'"
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from merge" -s q -l quiet -d 'Print only errors on stderr'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from merge" -s v -l verbose -d 'Print on stderr where keys come from, and each request and response'
complete -c llm -n "__fish_llm_using_subcommand batch; and __fish_seen_subcommand_from merge" -s h -l help -d 'Print help (see more with \'--help\')'
