complete --keep-order --exclusive --command llm --arguments "(LLM_COMPLETE=fish llm -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
