package demo

// Account is an account of the demonstration.
type Account struct{ Name, Display, Unit string }

// Former are the officers who entered the residents and have left since: two
// of each unit, in the order of Units. Nobody can sign in as one of them.
var Former = []Account{
	{"demo.one", "Đặng Thị Hạnh", Units[0]}, {"demo.two", "Võ Quốc Thịnh", Units[0]},
	{"demo.three", "Bùi Thanh Lâm", Units[1]}, {"demo.four", "Ngô Thị Kim Thảo", Units[1]},
	{"demo.five", "Trương Minh Hải", Units[2]}, {"demo.six", "Đỗ Ngọc Diệp", Units[2]},
}
