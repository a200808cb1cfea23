package main

import (
	"fmt"
	"strings"
)

// systematic makes the inputs that come in families: each boundary, and each side of it.
func systematic() []string {
	var all []string
	add := func(inputs ...string) { all = append(all, inputs...) }

	// Separators in the middle, first and last: in a single component, in a later one and in a host.
	separators := []string{".", "_", "__", "___", "____", "-", "--", "---", "..", "._", "_.", ".-", "-.", "-_", "_-", "__-", "_._"}
	for _, s := range separators {
		for _, word := range []string{"a" + s + "b", s + "a", "a" + s, s} {
			add(word, "x/"+word, "r.io/"+word+"/y", word+".com/x", "r."+word+"/x", word+":80/x")
		}
		add("a"+s+"b"+s+"c", "r.io/a"+s+"b"+s+"c", "A"+s+"b/x")
	}

	// Every ASCII character that is not a letter or a digit, in each place.
	for char := rune(0); char < 0x80; char++ {
		if char >= '0' && char <= '9' || char >= 'A' && char <= 'Z' || char >= 'a' && char <= 'z' {
			continue
		}
		c := string(char)
		add("a"+c+"b", c+"a", "a"+c+"b.com/x", "r.io:8"+c+"0/x", "a:"+c+"t", "a:t"+c, "a@sha256:"+hex(63)+c)
	}

	// Other scripts and invisible characters.
	for _, c := range []string{
		"\u00e9", "e\u0301", "\u00df", "\u0130", "\u0131", "\u017f", "\u212a", "\u0430", "\u03a3", "\u2161", "\uff41", "\uff21",
		"\u0663", "\uff0f", "\u2215", "\uff1a", "\u2236", "\uff20", "\uff0e", "\u3002", "\u2013", "\u00ad", "\u200b", "\u200d",
		"\u202e", "\u2060", "\ufeff", "\u00a0", "\u2028", "\u0085", "\ufffd", "\uffff", "\U0001f433", "\U0001d41a", "\U0010ffff",
	} {
		add("x/a"+c, "a"+c+"b.com/x", c+"/x", "r.io/x:t"+c, "r.io/x@sha256:"+hex(63)+c)
	}

	// Possible registries.
	hosts := []string{
		"localhost", "LOCALHOST", "Localhost", "localhost.", "localhost.localdomain", "localhosts", "local-host", "sub.localhost", "localhost_",
		"docker.io", "DOCKER.IO", "Docker.io", "docker.io.", "docker.io.example", "www.docker.io", "index.docker.io", "INDEX.docker.io",
		"index.docker.io.", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com", "docker", "library",
		"a", "A", "aB", "AB", "a.b", "A.b", "a.B", "a.b.c", "a..b", ".a", "a.", "a.b.", "1", "1.2", "127.0.0.1", "999.999.999.999", "1.2.3.4.5",
		"a-b", "a-b.c", "-a.b", "a-.b", "a.-b", "a.b-", "a--b.c", "xn--n3h.com", "a_b", "a_b.com", "a__b.com", "a.b_c", "a.b_c.d", "A_b", "A_B.com",
		"a-_b.com", "_a.com", "a_.com", "a+b.com", "a b.com", "a%b.com", "a*.com", "*.com", "~a.com", "a@b.com", "user:pass@r.io", "user@r.io",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 130) + "a", strings.Repeat("A", 130),
		"[::1]", "[::]", "[:]", "[]", "[1]", "[a]", "[A]", "[abcd]", "[ABCD]", "[g]", "[G]", "[G::1]", "[2001:db8::1]", "[2001:DB8::1]",
		"[2001:db8:1:2:3:4:5:6]", "[2001:db8:1:2:3:4:5:6:7:8:9]", "[::ffff:1.2.3.4]", "[fe80::1%eth0]", "[fe80::1%25eth0]", "[::1", "::1]", "::1", "::",
		"[[::1]]", "[::1]]", "[[::1]", "[::1].com", "a[::1]", "[::1]a", "[::1]-", "[ ::1]", "[v1.a]", "[.]", "[-]", "[_]", "(::1)", "{::1}",
	}
	ports := []string{":0", ":00080", ":65536", ":" + strings.Repeat("9", 40), ":8a", ":a", ":-1", ":+80", ":8_0", ":80:81", ":80:", ":"}
	for i, host := range hosts {
		add(host, host+"/x", host+":80/x/y:t", host+"/x@sha256:"+hex(64), host+"/X")
		// The full product would add no new information.
		if i%12 == 0 {
			for _, port := range ports {
				add(host+port, host+port+"/x")
			}
		}
	}

	// Docker Hub's short names.
	for _, hub := range []string{"", "docker.io/", "index.docker.io/", "docker.io:443/", "index.docker.io:443/", "docker.io/library/", "library/"} {
		for _, name := range []string{"x", "x:t", "x@sha256:" + hex(64), "x:t@sha256:" + hex(64), "x/y", "library", "library/library", "docker.io/x", "localhost/x", "r.io/x", "X"} {
			add(hub + name)
		}
	}

	// Upper case by component.
	for _, name := range []string{"Foo", "fOO", "FOO", "foO"} {
		add(name, name+":t", name+"/bar", name+"/bar/baz:t", name+"/Bar", "bar/"+name, "r.io/x/"+name, "bar:"+name, name+":80/bar", "Bar/x/"+name)
	}

	// A name of 64 hexadecimal digits is an image ID, but only if it is the whole reference.
	for _, length := range []int{32, 63, 64, 65, 128} {
		id := hex(length)
		upper := strings.ToUpper(id)
		add(id, id+":t", id+":", id+"@sha256:"+hex(64), id+"/x", "x/"+id, "x:"+id, "r.io/"+id, "docker.io/"+id, "library/"+id, "docker.io/library/"+id, "index.docker.io/"+id, upper, upper+"/x", id[1:]+"g", " "+id, id+"\n", "sha256:"+id, "@"+id)
	}
	add(strings.Repeat("0", 64), strings.Repeat("f", 64), strings.Repeat("g", 64), strings.Repeat("0", 63)+".", strings.Repeat("0", 31)+"-"+strings.Repeat("0", 32))

	// Length limits of a repository (including library/) and of a tag.
	for _, length := range []int{247, 248, 254, 255, 256, 257} {
		one := strings.Repeat("a", length)
		many := strings.Repeat("a/", length/2-1) + strings.Repeat("a", length-2*(length/2-1))
		for _, name := range []string{one, many} {
			add(name, "docker.io/"+name, "localhost:5000/"+name+":t", "r.io/"+name+"@sha256:"+hex(64), "x/"+name[2:], "A/"+name)
		}
		add("r.io/"+one[1:]+"_", "a_b.com/"+one[8:])
	}
	for _, length := range []int{1, 127, 128, 129, 1000} {
		tag := strings.Repeat("t", length)
		add("x:"+tag, "r.io/x:"+tag+"@sha256:"+hex(64), "x:"+strings.Repeat("_", length), "x:"+strings.Repeat(".", length), "x:0"+strings.Repeat("-", length-1))
	}
	for _, tag := range []string{"latest", "1", "1.2.3", "v1.2.3-rc.1_build", "_", "__", "_.-", "-", ".", "..", "-a", ".a", "a-", "a.", "A", "LATEST", "5000", "a/b", "a:b", "a+b", "1.2.3+build", "a b", "$tag", "<tag>", "sha256-" + hex(64) + ".sig", "sha256:" + hex(64)} {
		add("x:"+tag, "r.io:80/x:"+tag)
	}

	// Digests: each algorithm with lengths around each valid one, in both letter cases.
	algorithms := []string{
		"sha256", "sha384", "sha512", "SHA256", "Sha256", "sha224", "sha1", "md5", "blake3", "sha3-256", "sha256+b64", "sha256.b64", "sha256_b64", "sha256-b64",
		"sha256+b64+c", "sha256++b64", "sha256+", "+sha256", "sha256+6", "sha256,b64", "sha256/b64", "a", "A", "z9", "9z", "256", "", " sha256", "sha256 ", "sha\u0662",
	}
	for i, algorithm := range algorithms {
		for _, length := range []int{0, 1, 31, 32, 63, 64, 65, 95, 96, 97, 127, 128, 129} {
			if i < 3 || length == 32 || length == 64 {
				add("r.io/x:t@" + algorithm + ":" + hex(length))
			}
		}
	}
	for _, length := range []int{64, 96, 128} {
		algorithm := fmt.Sprintf("sha%d", length*4)
		digits := hex(length)
		add(
			"x@"+algorithm+":"+strings.ToUpper(digits), "x@"+algorithm+":"+digits[1:]+"A", "x@"+algorithm+":"+digits[1:]+"g", "x@"+algorithm+":"+digits[1:]+"=",
			"x@"+algorithm+":g"+digits[1:], "x@"+algorithm+digits, "x@"+digits, "x@:"+digits, "x@"+algorithm+":", "x@"+algorithm, "x@"+algorithm+"::"+digits, "x@"+algorithm+":"+digits+":t",
			"x@"+algorithm+":"+digits+"@"+algorithm+":"+digits, "x@"+algorithm+":"+digits+"/y", "x@@"+algorithm+":"+digits, "x:t@"+algorithm+":"+digits, "x:@"+algorithm+":"+digits,
			"x:t:u@"+algorithm+":"+digits, "x:t@u@"+algorithm+":"+digits, "x@t:u@"+algorithm+":"+digits, algorithm+":"+digits, "@"+algorithm+":"+digits, algorithm+"@"+algorithm+":"+digits,
			"r.io/@"+algorithm+":"+digits, "r.io@"+algorithm+":"+digits, "r.io:80@"+algorithm+":"+digits, "X@"+algorithm+":"+digits, "X/y@"+algorithm+":"+digits, "x/Y@"+algorithm+":"+digits,
			"x@"+algorithm+":"+digits+" ", "x@"+algorithm+":"+digits+"\n", "x@ "+algorithm+":"+digits, "x @"+algorithm+":"+digits,
		)
	}
	return all
}

// hex is a string of so many hexadecimal digits, with every digit in it early on.
func hex(length int) string {
	return strings.Repeat("0f1e2d3c4b5a6978", length/16+1)[:length]
}
