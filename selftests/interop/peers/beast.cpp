// SPDX-License-Identifier: GPL-2.0
/*
 * README's script and server on Boost.Beast.
 *
 *	beast client PORT CLOSING_PORT LARGE
 *	beast server
 */
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;

namespace {

const auto loopback = asio::ip::address_v4::loopback();
const std::vector<std::string> ping_data = { "", "ping", std::string(125, 'p') };

void check(bool good, const char *why)
{
	if (!good)
		throw std::runtime_error(why);
}

std::string pattern(size_t len)
{
	std::string data(len, 0);

	for (size_t i = 0; i < len; i++)
		data[i] = static_cast<char>(i * 31 >> 3);
	return data;
}

/*
 * A read is under way while a pong is due, which nothing else would see, and
 * while something is sent: a server that echoes a long message as it comes
 * waits for us to take it.
 */
class connection {
public:
	explicit connection(asio::io_context &context, tcp::socket socket)
		: context(context), ws(std::move(socket))
	{
		ws.next_layer().set_option(tcp::no_delay(true));
		ws.read_message_max(0);
		ws.auto_fragment(false);
		ws.control_callback([this](websocket::frame_type kind,
					   beast::string_view data) {
			if (kind == websocket::frame_type::pong)
				pongs.emplace_back(data);
		});
	}

	void send(const std::string &data, bool binary)
	{
		beast::error_code code;
		bool writing = true;

		start_read();
		ws.binary(binary);
		ws.async_write(asio::buffer(data),
			       [&](beast::error_code result, size_t) {
			code = result;
			writing = false;
		});
		run_while([&] { return writing; });
		if (code)
			throw beast::system_error(code);
	}

	void send_fragment(const std::string &data, bool last)
	{
		ws.text(true);
		ws.write_some(last, asio::buffer(data));
	}

	void start_read()
	{
		if (reading || received)
			return;
		reading = true;
		buffer.clear();
		ws.async_read(buffer, [this](beast::error_code code, size_t) {
			error = code;
			reading = false;
			received = true;
		});
	}

	/* Throws when there is no other message. */
	std::string receive()
	{
		start_read();
		run_while([this] { return reading; });
		received = false;
		if (error)
			throw beast::system_error(error);
		return beast::buffers_to_string(buffer.data());
	}

	void ping(const std::string &data)
	{
		start_read();
		ws.ping(websocket::ping_data(data));
		expect_pong(data);
	}

	void expect_pong(const std::string &data)
	{
		start_read();
		run_while([this] { return reading && pongs.empty(); });
		check(!pongs.empty() && pongs.front() == data, "wrong pong");
		pongs.erase(pongs.begin());
	}

	asio::io_context &context;
	websocket::stream<tcp::socket> ws;

private:
	template <typename Condition> void run_while(Condition condition)
	{
		context.restart();
		while (condition() && context.run_one())
			;
	}

	beast::flat_buffer buffer;
	beast::error_code error;
	bool reading = false, received = false;
	std::vector<std::string> pongs;
};

/* The client's side */

connection dial(asio::io_context &context, const std::string &port)
{
	tcp::socket socket(context);

	socket.connect({ loopback, static_cast<uint16_t>(std::stoi(port)) });
	return connection(context, std::move(socket));
}

void echo(connection &c, const std::string &data, bool binary)
{
	c.send(data, binary);
	check(c.receive() == data, "a message came back changed");
	check(c.ws.got_binary() == binary, "wrong type");
}

void fragmented(connection &c)
{
	c.send_fragment("in ", false);
	c.send_fragment("three ", false);
	c.ws.ping("between");
	c.send_fragment("fragments", true);
	check(c.receive() == "in three fragments", "changed");
	c.expect_pong("between");
}

void pings(connection &c)
{
	for (const auto &data : ping_data)
		c.ping(data);
	echo(c, "after the pings", false);
}

void closed(connection &c)
{
	c.send("close 4003 no more", false);
	try {
		c.receive();
	} catch (const beast::system_error &e) {
		check(e.code() == websocket::error::closed, e.what());
	}
	check(c.ws.reason().code == 4003, "wrong code");
	check(c.ws.reason().reason == "no more", "wrong reason");
}

void client(const std::string &port, const std::string &closing_port,
	    size_t large)
{
	asio::io_context context;
	auto first = dial(context, port);

	first.ws.handshake("127.0.0.1:" + port, "/");
	echo(first, "grüße, мир, 世界, 🌍", false);
	std::cout << "text" << std::endl;
	echo(first, pattern(70000), true);
	std::cout << "binary" << std::endl;
	echo(first, "", false);
	echo(first, "", true);
	std::cout << "empty" << std::endl;
	echo(first, pattern(large), true);
	std::cout << "large" << std::endl;
	fragmented(first);
	std::cout << "fragmented" << std::endl;
	pings(first);
	std::cout << "pings" << std::endl;
	first.ws.close({ websocket::close_code(4001), "bye" });
	check(first.ws.reason().code == 4001, "wrong code");
	std::cout << "close" << std::endl;

	auto second = dial(context, closing_port);

	second.ws.handshake("127.0.0.1:" + closing_port, "/");
	closed(second);
	std::cout << "closed" << std::endl;
}

/* The server's side */

/* Return: false if this ended the connection. */
bool answer(connection &c, const std::string &text)
{
	if (c.ws.got_binary()) {
		c.send(text, true);
	} else if (text == "fragments") {
		c.send_fragment("one ", false);
		c.send_fragment("two ", false);
		c.ws.ping("between");
		c.send_fragment("three", true);
		c.expect_pong("between");
	} else if (text == "pings") {
		for (const auto &data : ping_data)
			c.ping(data);
		c.send("3 pongs", false);
	} else if (text.rfind("close ", 0) == 0) {
		c.ws.close({ websocket::close_code(std::stoi(text.substr(6))),
			     text.substr(text.find(' ', 6) + 1) });
		return false;
	} else {
		c.send(text, false);
	}
	return true;
}

void talk(connection &c)
{
	c.ws.accept();
	try {
		while (answer(c, c.receive()))
			;
	} catch (const beast::system_error &e) {
		check(e.code() == websocket::error::closed, e.what());
		std::cout << "closed " << c.ws.reason().code << ' '
			  << c.ws.reason().reason << std::endl;
	}
}

void server()
{
	asio::io_context context;
	tcp::acceptor acceptor(context, { loopback, 0 });

	std::cout << "listening on " << acceptor.local_endpoint().port()
		  << std::endl;
	for (;;) {
		connection c(context, acceptor.accept());

		try {
			talk(c);
		} catch (const std::exception &e) {
			std::cerr << "beast: " << e.what() << std::endl;
		}
	}
}

} /* namespace */

int main(int argc, char **argv)
{
	const std::vector<std::string> args(argv, argv + argc);

	try {
		if (argc == 5 && args[1] == "client")
			client(args[2], args[3], std::stoul(args[4]));
		else if (argc == 2 && args[1] == "server")
			server();
		else
			return 2;
	} catch (const std::exception &e) {
		std::cerr << "beast: " << e.what() << std::endl;
		return 1;
	}
	return 0;
}
