module fairlead.dev/golden/go

go 1.26
