from ampcli.cli.main import main

main()
